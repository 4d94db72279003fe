"""No network for a while, whatever library asks for it.

The interpreter tells what its sockets are about to do (:pep:`578`), so nothing is patched: what other plugins do to
sockets stays as it is, and there is nothing to restore. A network stack of its own, such as gRPC's, is not seen.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import sysconfig
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_refinery.errors import OfflineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

# What is not the user's own code: this package, the interpreter's library, what is installed.
_NOT_THEIRS = (
    "<",
    str(Path(__file__).parents[1]),
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
)


@dataclass(eq=False)
class NetworkBlock:
    """A stretch of time without network.

    Attributes:
        violations: What was raised in the user's own code instead of a connection, in order. Libraries that try to
            connect in threads of their own, such as telemetry, are refused as well, and not listed.
    """

    about: str
    allowed: frozenset[str]
    violations: list[str] = field(default_factory=list)
    addresses: dict[str, frozenset[str]] = field(default_factory=dict)

    def permits(self, host: str) -> bool:
        """Tell whether a host, in lower case, may be reached."""
        return host in self.allowed or any(host in self._addresses_of(name) for name in self.allowed)

    def _addresses_of(self, name: str) -> frozenset[str]:
        if name not in self.addresses:
            self.addresses[name] = _looked_up(name)
        return self.addresses[name]


# The innermost one counts; all threads of the process are under it.
_blocks: list[NetworkBlock] = []


@contextmanager
def offline(*, about: str, allowed_hosts: Iterable[str] = ()) -> Iterator[NetworkBlock]:
    """Let this process, all its threads included, make no connection and look up no name inside.

    Who tries gets an ``OfflineError``. Unix sockets work, and so does what is connected already. The names of this
    machine can be looked up, which needs no network; connections to it have to be allowed like all others.

    Args:
        about: What has no network, for the message: the id of an item.
        allowed_hosts: Names and addresses that may be reached nevertheless.
    """
    _install_audit_hook()
    block = NetworkBlock(about, frozenset(map(_plain, allowed_hosts)))
    _blocks.append(block)
    try:
        yield block
    finally:
        _blocks.remove(block)


@cache
def _install_audit_hook() -> None:
    # Once a process, and only where something is to be blocked: there is no way to stop listening.
    sys.addaudithook(_audit_hook)


def _audit_hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _blocks or event not in _HOSTS:
        return
    host = _HOSTS[event](arguments)
    # The code that called the socket; ``inspect`` would read source files.
    caller = sys._getframe(1)  # noqa: SLF001
    if host is None or _blocks[-1].permits(host) or _is_a_pipe(caller):
        return
    verb, port = ("reach", f":{arguments[1][1]}") if event in _CONNECTING else ("look up", "")
    raise _refusal(_blocks[-1], _place(caller), f"{verb} {host}{port}")


def _refusal(block: NetworkBlock, place: str | None, wanted: str) -> OfflineError:
    who = place or f"the thread {threading.current_thread().name}"
    sentence = (
        f"{block.about} replays without network (--refinery-record=none), and {who} wanted to {wanted}. Cassettes "
        "hold what is asked through httpx and httpx2. Ask through one of them and record again, allow the host with "
        "the ini key refinery_allowed_hosts, or leave it out in this test."
    )
    if place is not None:
        block.violations.append(sentence)
    return OfflineError(sentence)


def _is_a_pipe(caller: FrameType) -> bool:
    """Tell whether the two ends of a pipe are being connected, where the system has no other kind."""
    return caller.f_code.co_filename == socket.__file__ and caller.f_code.co_name.endswith("socketpair")


def _of_address(arguments: tuple[Any, ...]) -> str | None:
    """Return the host that a socket is to reach; ``None`` for sockets that stay on this machine by their kind."""
    found, address = arguments
    if found.family not in {socket.AF_INET, socket.AF_INET6} or not isinstance(address, tuple):
        return None
    return _plain(address[0])


def _of_name(arguments: tuple[Any, ...]) -> str | None:
    """Return the host that is to be looked up; ``None`` for this machine, which needs no network."""
    name = arguments[0][0] if isinstance(arguments[0], tuple) else arguments[0]
    host = _plain(name or "")
    return None if _is_here(host) else host


def _plain(host: str | bytes | bytearray) -> str:
    text = host if isinstance(host, str) else bytes(host).decode("ascii", "replace")
    return text.strip("[]").lower()


def _is_here(host: str) -> bool:
    if host in {"", "localhost"}:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _looked_up(name: str) -> frozenset[str]:
    with suppress(OSError, UnicodeError):
        return frozenset(str(address[0]) for *_, address in socket.getaddrinfo(name, None))
    return frozenset()


_CONNECTING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_LOOKING_UP = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"})
_HOSTS: dict[str, Callable[[tuple[Any, ...]], str | None]] = {
    **dict.fromkeys(_CONNECTING, _of_address),
    **dict.fromkeys(_LOOKING_UP, _of_name),
}


def _place(frame: FrameType) -> str | None:
    """Return the line of the user's own code that led to ``frame``, ``None`` where none did."""
    for each in _outwards(frame):
        if not each.f_code.co_filename.startswith(_NOT_THEIRS):
            return f"{each.f_code.co_filename}:{each.f_lineno}"
    return None


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
