"""What every test gets: no network, a clean environment, and runs with and without xdist."""

from __future__ import annotations

import importlib
import ipaddress
import os
import pkgutil
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

import pytest_refinery
from tests.runners import RUNNERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest_plugins = "pytester"

# A busy machine makes nothing fail, and a failure comes back when the run is repeated. New examples are looked for with
# `make test ARGS=--hypothesis-profile=explore`.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", settings.get_profile("explore"), derandomize=True)
settings.load_profile("steady")

_LEAKING = ("REFINERY", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "OTEL_", "CI", "GITHUB_", "BUILD_NUMBER", "COLUMNS")
# Plugins that are installed for tests that ask for them (``-p html``). In every inner run, and in each of its workers,
# they would load libraries: together they cost a second of CPU.
_OTHERS = (
    "anyio html html_fixtures hypothesispytest langsmith_plugin metadata platformdirs pytest_cov randomly recording"
    " respx socket xdist.looponfail"
).split()
_WITHOUT_OTHERS = " ".join(f"-p no:{name}" for name in _OTHERS)


# However the suite is started, its children compile what they import and can be interrupted: images for containers set
# the variable, and a process in the background inherits a SIGINT that is ignored.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# All of the package at once: a run of pytest inside this process forgets at its end what it was the first to load, and
# what loads it again has classes that those loaded before do not know.
for _module in pkgutil.walk_packages(pytest_refinery.__path__, f"{pytest_refinery.__name__}."):
    importlib.import_module(_module.name)


class NetworkUsedError(RuntimeError):
    """A test tried to leave the machine."""


@pytest.fixture(params=["plain", "sent"])
def plugin_args(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Arguments of a pytest run, by default alone and with reports as they arrive from a worker."""
    return RUNNERS[request.param]


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Let sockets reach this machine and nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
        patch.setattr(socket, "getaddrinfo", _looking_up_only_loopback(socket.getaddrinfo))
        yield


@pytest.fixture(autouse=True, scope="session")
def clean_environment() -> Iterator[None]:
    """Keep the developer's settings and CI's out of what the tests see."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(_LEAKING)]:
            patch.delenv(name)
        # Here too, for runs that are processes of their own.
        patch.setenv("PYTEST_ADDOPTS", _WITHOUT_OTHERS)
        yield


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Inner runs in file order, though pytest-randomly is installed, unless they say ``-p randomly``."""
    monkeypatch.setenv("PYTEST_ADDOPTS", _WITHOUT_OTHERS)
    return pytester


def _guarded(call: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(sock: socket.socket, *args: Any) -> Any:  # noqa: ANN401  (as the socket module)
        address = args[-1]
        if sock.family != getattr(socket, "AF_UNIX", None) and not _is_loopback(str(address[0])):
            raise NetworkUsedError(f"a test may reach only this machine, not {address[0]}:{address[1]}")
        return call(sock, *args)

    return guarded


def _looking_up_only_loopback(call: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(host: str | bytes | None, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (as the socket module)
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not _is_loopback(name):
            raise NetworkUsedError(f"a test may look up only this machine, not {name}")
        return call(host, *args, **kwargs)

    return guarded


def _is_loopback(host: str) -> bool:
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
