"""What requests bring to show who sent them."""

import pytest

from lading.access.credentials import Credentials, credentials_of
from lading.errors import Unauthenticated


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([(b"authorization", b"Bearer lk_x")], Credentials("bearer", "lk_x")),
        ([(b"authorization", b"BEARER   lk_x")], Credentials("bearer", "lk_x")),
        ([(b"authorization", b"Basic YTpi")], Credentials("basic", "YTpi")),
        ([(b"x-api-key", b"lk_x")], Credentials("bearer", "lk_x")),
        ([(b"host", b"a"), (b"x-api-key", b"lk_x")], Credentials("bearer", "lk_x")),
        ([(b"host", b"a")], None),
    ],
)
def test_credentials_are_found(fields: list[tuple[bytes, bytes]], expected: Credentials | None):
    assert credentials_of(fields) == expected


@pytest.mark.parametrize(
    "fields",
    [
        [(b"authorization", b"Bearer a"), (b"authorization", b"Bearer a")],
        [(b"authorization", b"Bearer a"), (b"x-api-key", b"a")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer a b")],
        [(b"authorization", b"Bearer a\tb")],
        [(b"authorization", b"Bearer \xff")],
        [(b"authorization", b"Bearer " + b"a" * 8192)],
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(fields: list[tuple[bytes, bytes]]):
    with pytest.raises(Unauthenticated):
        credentials_of(fields)


def test_a_secret_is_not_shown():
    assert "lk_secret" not in repr(Credentials("bearer", "lk_secret"))
