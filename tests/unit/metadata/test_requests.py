"""What the metadata agent believes of a request, and what it refuses."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass.metadata.requests import BadRequest, GuestRequest, read_request

FROM = b"X-Forwarded-For: 10.0.0.5\r\n"
ON = b"X-Neutron-Network-ID: n1\r\n"


def read(headers: bytes = FROM + ON, line: bytes = b"GET /latest HTTP/1.1\r\n") -> GuestRequest | None:
    return read_request(BytesIO(line + headers + b"\r\n"))


def test_path_address_and_place_are_what_the_proxy_said() -> None:
    assert read() == GuestRequest("/latest", False, "10.0.0.5", ("network_id", "n1"))
    over_router = FROM + b"x-neutron-router-id: r1\r\n"
    assert read(over_router, b"HEAD / HTTP/1.0\r\n") == GuestRequest("/", True, "10.0.0.5", ("router_id", "r1"))
    link_local = b"X-Forwarded-For: fe80::1%tap1\r\n" + ON
    assert read(link_local) == GuestRequest("/latest", False, "fe80::1", ("network_id", "n1"))


def test_what_a_guest_adds_to_the_path_after_a_question_mark_is_left_out() -> None:
    found = read(line=b"GET /latest/?a=/../b HTTP/1.1\r\n")
    assert found is not None
    assert found.path == "/latest/"


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        FROM,
        ON,
        FROM + FROM + ON,
        FROM + ON + ON,
        FROM + ON + b"X-Neutron-Router-ID: r1\r\n",
        FROM + ON + b"x-forwarded-FOR: 10.0.0.6\r\n",
        b"X-Forwarded-For: 10.0.0.5, 10.0.0.6\r\n" + ON,
        b"X-Forwarded-For:\r\n 10.0.0.5, 10.0.0.6\r\n" + ON,
        b"X-Forwarded-For: vm1\r\n" + ON,
        FROM + b"X-Neutron-Network-ID:\r\n",
    ],
)
def test_whoever_is_not_named_once_and_in_one_place_is_nobody(headers: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        read(headers)
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"POST /latest HTTP/1.1\r\n", 405),
        (b"GET latest HTTP/1.1\r\n", 404),
        (b"GET http://other/latest HTTP/1.1\r\n", 404),
        (b"GET /../v2.0 HTTP/1.1\r\n", 404),
        (b"GET /a/./b HTTP/1.1\r\n", 404),
        (b"GET /%2e%2e/v2.0 HTTP/1.1\r\n", 404),
        (b"GET /a\\b HTTP/1.1\r\n", 404),
        (b"GET /\x00 HTTP/1.1\r\n", 400),
        (b"GET  / HTTP/1.1\r\n", 400),
        (b"GET / HTTP/2.0\r\n", 400),
        (b"GET /\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n", 400),
    ],
)
def test_a_request_that_could_be_read_in_two_ways_is_refused(line: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as refused:
        read(line=line)
    assert refused.value.status == status


def test_too_many_headers_are_refused_and_nothing_at_all_is_no_request() -> None:
    with pytest.raises(BadRequest):
        read(FROM + ON + b"a: b\r\n" * 200)
    assert read_request(BytesIO(b"")) is None


@given(st.binary(max_size=300))
def test_whatever_comes_it_is_read_or_refused(raw: bytes) -> None:
    try:
        found = read_request(BytesIO(raw))
    except BadRequest:
        return
    assert found is None or found.path.startswith("/")
