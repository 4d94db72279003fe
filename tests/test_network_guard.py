from __future__ import annotations

import contextlib
import socket

import pytest


@pytest.mark.parametrize("address", ["192.0.2.1", "8.8.8.8"])
def test_a_connection_that_leaves_the_machine_is_refused(address: str) -> None:
    with socket.socket() as sock, pytest.raises(RuntimeError, match=f"not {address}:443"):
        sock.connect((address, 443))


def test_a_name_of_another_machine_is_not_looked_up() -> None:
    with pytest.raises(RuntimeError, match=r"not api\.example\.com"):
        socket.create_connection(("api.example.com", 443))


def test_a_datagram_that_leaves_the_machine_is_refused() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(RuntimeError, match=r"not 192\.0\.2\.1:53"):
        sock.sendto(b"", ("192.0.2.1", 53))


def test_loopback_is_open() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        contextlib.closing(socket.create_connection(("localhost", server.getsockname()[1]))) as client,
    ):
        assert client.getpeername() == server.getsockname()
