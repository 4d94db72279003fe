"""Requests as they go over the network."""

from __future__ import annotations

import socket

import pytest

from pytest_refinery.sources.langsmith.transport import HttpTransport, Request, UnreachedError
from tests.langsmith_server import KEY


def test_somebody_who_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(UnreachedError, match=r"no answer within 0\.02 s"):
            HttpTransport(answer_seconds=0.02).send(Request("GET", url))


def test_an_address_that_is_none_is_nobody() -> None:
    with pytest.raises(UnreachedError):
        HttpTransport().send(Request("GET", "http://127.0.0.1:port/"))


def test_nothing_shows_the_headers_of_a_request() -> None:
    assert KEY not in repr(Request("GET", "http://127.0.0.1/", headers={"X-Api-Key": KEY}))
