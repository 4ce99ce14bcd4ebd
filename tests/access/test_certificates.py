"""Who asks, by a certificate that TLS has verified."""

from typing import Any

import pytest

from lading.access.certificates import Certificates
from lading.errors import Unauthenticated, UsageError
from lading.settings import Settings

SHOWN: dict[str, Any] = {
    "subject": ((("commonName", "robot"),),),
    "subjectAltName": (("DNS", "robot.example"), ("IP Address", "10.0.0.1")),
    "notAfter": "Jan  5 09:34:43 2038 GMT",
}


def certificates(*names: str, is_needed: bool = False) -> Certificates:
    return Certificates(names, ("predict:*",), is_needed=is_needed)


def test_the_first_alternative_name_is_who_asks():
    principal = certificates().principal_of(SHOWN)
    assert principal is not None
    assert (principal.name, principal.scopes) == ("certificate:robot.example", {"predict:*"})
    assert principal.until == 2146296883


@pytest.mark.parametrize(("name", "shown"), [("robot.example", SHOWN), ("robot", SHOWN | {"subjectAltName": ()})])
def test_a_name_that_is_taken_lets_in(name: str, shown: dict[str, Any]):
    principal = certificates(name).principal_of(shown)
    assert principal is not None
    assert principal.name == f"certificate:{name}"


def test_the_common_name_does_not_count_beside_others():
    assert certificates("robot").principal_of(SHOWN) is None


def test_a_certificate_that_is_only_needed_shows_nobody():
    assert certificates(is_needed=True).principal_of(SHOWN) is None


@pytest.mark.parametrize("shown", [None, {}, SHOWN], ids=["none", "empty", "another name"])
def test_nobody_is_shown_by_another_name_or_by_none(shown: dict[str, Any] | None):
    assert certificates("other.example").principal_of(shown) is None
    with pytest.raises(Unauthenticated):
        certificates("other.example", is_needed=True).principal_of(shown)


def test_an_address_is_no_name():
    assert certificates("10.0.0.1").principal_of(SHOWN) is None


def test_a_name_cannot_write_lines_of_a_log():
    shown = SHOWN | {"subjectAltName": (("DNS", "a\r\nb \x1b[31m"),)}
    principal = certificates().principal_of(shown)
    assert principal is not None
    assert principal.name == "certificate:ab[31m"


def test_settings_say_what_a_certificate_allows():
    assert Certificates.of(Settings()) is None
    with pytest.raises(UsageError):
        Certificates.of(Settings(client_ca_file="ca.pem", client_scopes="everything"))
