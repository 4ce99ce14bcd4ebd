"""Addresses behind proxies: a trusted one is believed, and nobody gets an address that is not theirs."""

import time
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.http.forwarded import MAX_HOPS, client_of, scheme_of

PROXY, OTHER_PROXY, CALLER, LIAR = "10.0.0.1", "10.9.9.9", "192.0.2.7", "198.51.100.9"
TRUSTED = [ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48")]


def found(peer: str | None, *lines: str | bytes, trusted: list[object] = TRUSTED) -> str | None:
    values = [line if isinstance(line, bytes) else line.encode() for line in lines]
    return client_of(peer, [(b"x-forwarded-for", value) for value in values], trusted)


@pytest.mark.parametrize(
    ("peer", "lines", "expected"),
    [
        (CALLER, [], CALLER),
        (PROXY, [], PROXY),
        (PROXY, [CALLER], CALLER),
        (PROXY, [f"{CALLER}, {OTHER_PROXY}"], CALLER),
        (PROXY, [f"{LIAR}, {CALLER}"], CALLER),
        (PROXY, [LIAR, CALLER], CALLER),
        (PROXY, [LIAR, f"{CALLER},{OTHER_PROXY}", PROXY], CALLER),
        (PROXY, [f"not an address, {CALLER}"], CALLER),
        (PROXY, [f"\t {CALLER} \t"], CALLER),
        (PROXY, [f"{PROXY}, {OTHER_PROXY}"], PROXY),
    ],
)
def test_the_last_address_that_is_not_a_trusted_proxy_counts(peer: str, lines: list[str], expected: str):
    assert found(peer, *lines) == expected


@pytest.mark.parametrize("peer", [CALLER, "127.0.0.1", "::1", "11.0.0.1"])
def test_who_is_not_trusted_is_not_believed(peer: str):
    assert found(peer, LIAR) == found(peer, LIAR, trusted=[]) == peer


def test_behind_a_unix_socket_is_a_trusted_proxy_where_there_is_any():
    assert found(None, LIAR, CALLER) == CALLER
    assert found(None, f"{CALLER}, {PROXY}") == CALLER
    assert found(None, CALLER, trusted=[]) is None
    assert found(None) is None


@pytest.mark.parametrize(
    "word",
    [
        *("", " ", ",", "unknown", "_hidden", "-", "localhost", "192.0.2", "192.0.2.256", "192.0.2.07", "0x7f.1"),
        *("192.0.2.7:80", "[2001:db8::1]", "[2001:db8::1]:80", "192.0.2.7/32", "fe80::1%eth0", "::1%", "3221225991"),
        *("192.0.2.7 10.0.0.1", '"192.0.2.7"', "for=192.0.2.7", "192.0.2.7;", "1" * 5000, "192.0.2.7\x00", "\x0b"),
        *("１９２.0.2.7", "192。0。2。7"),
    ],
)
def test_where_no_address_stands_it_is_whoever_is_connected(word: str):
    assert found(PROXY, f"{LIAR}, {word}") == PROXY
    assert found(PROXY, LIAR, word, OTHER_PROXY) == PROXY
    assert found(None, word) is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", CALLER),
        ("::ffff:10.1.2.3", PROXY),
        ("2001:db8:ffff:1::2", PROXY),
        ("2001:DB8::A", "2001:db8::"),
    ],
)
def test_addresses_of_ipv6_count_as_for_connections(address: str, expected: str):
    assert found(PROXY, address) == expected


def test_a_peer_counts_in_the_same_way():
    assert found("2001:db8:1:2:3::4") == "2001:db8:1:2::"
    assert found("::ffff:192.0.2.7") == CALLER
    assert found("::ffff:10.0.0.1", CALLER) == CALLER
    assert found("2001:db8:ffff::1", CALLER) == CALLER


def test_a_peer_that_is_no_address_is_kept_as_it_is():
    assert found("testclient", LIAR) == "testclient"


def test_only_so_many_addresses_are_looked_at():
    assert found(PROXY, ", ".join([CALLER, *[OTHER_PROXY] * (MAX_HOPS - 1)])) == CALLER
    assert found(PROXY, ", ".join([CALLER, *[OTHER_PROXY] * MAX_HOPS])) == PROXY


def test_a_field_of_any_size_takes_next_to_no_time():
    begun = time.process_time()
    for value in (b"," * 16_000, b"10.0.0.1," * 2000 + b"10.0.0.1", b"1" * 16_000, b" " * 16_000):
        for _ in range(20):
            found(PROXY, value)
    assert time.process_time() - begun < 1


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"10.0.0.1", b"192.0.2.7", b"::1"]), max_size=5))
def test_whatever_a_caller_writes_its_proxy_says_who_it_is(lines: list[bytes]):
    assert found(PROXY, *lines, CALLER) == CALLER
    assert found(LIAR, *lines) == LIAR


@given(st.lists(st.text("0123456789.:,abcdef% ", max_size=30), max_size=4))
def test_what_counts_is_always_an_address(lines: list[str]):
    assert ip_address(found(PROXY, *lines) or "") not in TRUSTED[0] or found(PROXY, *lines) == PROXY
    assert ip_address(found(PROXY, *lines, str(IPv4Address(1))) or "") == IPv4Address(1)


# --- schemes


def scheme(peer: str | None, *lines: bytes) -> str:
    return scheme_of(peer, [(b"x-forwarded-proto", line) for line in lines], TRUSTED, "http")


@pytest.mark.parametrize(
    ("peer", "lines", "expected"),
    [
        (PROXY, [b"https"], "https"),
        (PROXY, [b"HTTPS"], "https"),
        (PROXY, [b"http, https"], "https"),
        (PROXY, [b"https", b"http"], "http"),
        (None, [b"https"], "https"),
        (CALLER, [b"https"], "http"),
        ("testclient", [b"https"], "http"),
        (PROXY, [], "http"),
    ],
)
def test_the_last_scheme_of_a_trusted_proxy_counts(peer: str | None, lines: list[bytes], expected: str):
    assert scheme(peer, *lines) == expected


@pytest.mark.parametrize("word", [b"", b"wss", b"javascript", b"https,", b"https;x", b"https://evil", b"\xff"])
def test_any_other_scheme_is_that_of_the_connection(word: bytes):
    assert scheme(PROXY, word) == "http"
    assert scheme_of(PROXY, [(b"x-forwarded-proto", word)], TRUSTED, "https") == "https"
