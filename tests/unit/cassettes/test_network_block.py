"""No network: what is refused, what is not, and who is named."""

from __future__ import annotations

import _socket
import asyncio
import http.client
import http.server
import socket
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.cassettes.network_block import offline
from pytest_refinery.errors import OfflineError

if TYPE_CHECKING:
    from collections.abc import Iterator

ITEM = "tests/memory.refinery.yaml::admits"


@pytest.fixture(autouse=True)
def sockets_as_python_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take this suite's own network guard away: it would be the caller that is named."""
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.delattr(socket.socket, name)


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this machine that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_connection_is_refused_with_item_place_host_and_the_ways_out(port: int) -> None:
    with offline(about=ITEM), pytest.raises(OfflineError) as caught:
        socket.create_connection(("127.0.0.1", port))
    sentence = str(caught.value)
    assert sentence.startswith(f"{ITEM} replays without network (--refinery-record=none), and {__file__}:")
    assert f"wanted to reach 127.0.0.1:{port}." in sentence
    assert "refinery_allowed_hosts" in sentence


def test_the_line_of_the_callers_own_code_is_named_not_that_of_a_library(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    with offline(about=ITEM), pytest.raises(OfflineError) as caught:
        connection.request("GET", "/")
    source = Path(__file__).read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(source, 1) if 'request("GET"' in text)
    assert f"{__file__}:{line} wanted to reach" in str(caught.value)


@pytest.mark.parametrize("call", ["connect", "connect_ex"])
def test_both_ways_to_connect_are_refused(call: str, port: int) -> None:
    with offline(about=ITEM), socket.socket() as plain, pytest.raises(OfflineError):
        getattr(plain, call)(("127.0.0.1", port))


def test_connections_over_ipv6_are_refused() -> None:
    with offline(about=ITEM), socket.socket(socket.AF_INET6) as plain, pytest.raises(OfflineError, match="reach ::1:9"):
        plain.connect(("::1", 9))


def test_datagrams_are_refused(port: int) -> None:
    with offline(about=ITEM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        with pytest.raises(OfflineError):
            datagram.sendto(b"x", ("127.0.0.1", port))
        with pytest.raises(OfflineError):
            datagram.sendmsg([b"x"], [], 0, ("127.0.0.1", port))


def test_asyncio_is_refused(port: int) -> None:
    async def connect() -> None:
        await asyncio.open_connection("127.0.0.1", port)

    with offline(about=ITEM), pytest.raises(OfflineError):
        asyncio.run(connect())


def test_look_ups_of_other_machines_are_refused() -> None:
    with offline(about=ITEM):
        with pytest.raises(OfflineError, match=r"wanted to look up api\.openai\.com"):
            _socket.getaddrinfo("api.openai.com", 443)
        with pytest.raises(OfflineError, match=r"look up api\.openai\.com"):
            socket.gethostbyname("api.openai.com")
        with pytest.raises(OfflineError, match=r"look up 192\.0\.2\.1"):
            socket.gethostbyaddr("192.0.2.1")
        with pytest.raises(OfflineError, match=r"look up 192\.0\.2\.1"):
            socket.getnameinfo(("192.0.2.1", 80), 0)


def test_this_machine_can_be_looked_up_and_listened_on() -> None:
    with offline(about=ITEM):
        assert socket.getaddrinfo("localhost", 80)
        with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
            assert server.server_port


def test_allowed_hosts_are_reached_by_address_and_by_name(port: int) -> None:
    with offline(about=ITEM, allowed_hosts=["127.0.0.1"]):
        socket.create_connection(("127.0.0.1", port)).close()
        socket.create_connection(("localhost", port)).close()
    with offline(about=ITEM, allowed_hosts=["LOCALHOST"]):
        socket.create_connection(("127.0.0.1", port)).close()
        with pytest.raises(OfflineError):
            socket.create_connection(("127.0.0.2", port))


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no unix sockets here")
def test_sockets_that_stay_on_this_machine_by_their_kind_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with offline(about=ITEM), socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind("here")
        listener.listen()
        client.connect("here")
        one, other = socket.socketpair()
        one.close()
        other.close()


def test_a_pipe_made_of_sockets_works_where_the_system_has_no_other() -> None:
    """As on Windows; asyncio needs one for each event loop."""
    make = getattr(socket, "_fallback_socketpair", None)
    if make is None:
        pytest.skip(f"Python {sys.version_info[0]}.{sys.version_info[1]} has no such function")
    with offline(about=ITEM):
        one, other = make()
    one.close()
    other.close()


def test_what_is_connected_already_stays_connected(port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        with client, listener.accept()[0] as served, offline(about=ITEM):
            client.sendall(b"x")
            assert served.recv(1) == b"x"


def test_threads_are_refused_too(port: int) -> None:
    def connect() -> None:
        with suppress(OfflineError):
            socket.create_connection(("127.0.0.1", port))

    with offline(about=ITEM) as block:
        thread = threading.Thread(target=connect)
        thread.start()
        thread.join()
    (attempt,) = block.violations
    assert f"{__file__}:" in attempt


def test_what_a_library_tries_in_its_own_thread_is_refused_and_is_no_attempt_of_the_users(port: int) -> None:
    failures: list[BaseException] = []
    with caught_in_threads(failures), offline(about=ITEM) as block:
        thread = threading.Thread(target=socket.create_connection, args=(("127.0.0.1", port),), name="telemetry")
        thread.start()
        thread.join()
    assert "the thread telemetry wanted to reach" in str(failures[0])
    assert not block.violations


def test_an_attempt_that_the_code_passes_over_is_known(port: int) -> None:
    with offline(about=ITEM) as block, socket.socket() as plain, suppress(OSError):
        plain.connect(("127.0.0.1", port))
    (attempt,) = block.violations
    assert attempt.startswith(ITEM)


def test_afterwards_everything_is_as_before(port: int) -> None:
    before = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")}
    with offline(about=ITEM), pytest.raises(OfflineError):
        socket.create_connection(("127.0.0.1", port))
    socket.create_connection(("127.0.0.1", port)).close()
    assert before == {name: getattr(socket.socket, name) for name in before}


def test_the_innermost_of_two_counts_and_each_ends_by_itself(port: int) -> None:
    outer, inner = offline(about="outer"), offline(about="inner", allowed_hosts=["127.0.0.1"])
    outer.__enter__()
    inner.__enter__()
    socket.create_connection(("127.0.0.1", port)).close()
    outer.__exit__(None, None, None)
    socket.create_connection(("127.0.0.1", port)).close()
    inner.__exit__(None, None, None)
    socket.create_connection(("127.0.0.1", port)).close()


@contextmanager
def caught_in_threads(failures: list[BaseException]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "excepthook", lambda caught: failures.append(caught.exc_value))
        yield
