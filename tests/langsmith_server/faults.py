"""What can go wrong, on demand: a fault answers instead of the service, or changes its answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from typing import Any

from tests.langsmith_server.messages import Answer, Request, ServiceError

Proceed = Callable[[Request], Answer]

_API = "/api/*"
_V1_QUERY, _V2_TRACE = "/api/v1/*runs/query", "/api/v2/traces/*"


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong; ``act`` gets the request and what would have answered it."""

    act: Callable[[Request, Proceed], Answer]
    path: str = _API


@dataclass
class Faults:
    """The scripted faults of a server."""

    _scripts: list[list[Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault, *, path: str | None = None, after: int = 0, times: int | None = None) -> None:
        """Let ``fault`` happen.

        Args:
            fault: One of this module's, or your own.
            path: Where, as a file name pattern; the fault's own if not given.
            after: How many requests there go well before.
            times: How often, ``None`` for ever.
        """
        with self._lock:
            self._scripts.append([fault, path or fault.path, after, times])

    def clear(self) -> None:
        """Let nothing more go wrong."""
        with self._lock:
            self._scripts.clear()

    def befalling(self, request: Request) -> Fault | None:
        """Return the fault for this request, the earliest added."""
        with self._lock:
            return next((script[0] for script in self._scripts if _takes(script, request)), None)


def _takes(script: list[Any], request: Request) -> bool:
    _, path, after, times = script
    if not fnmatch(request.path, path) or times == 0:
        return False
    if after:
        script[2] -= 1
        return False
    script[3] = times and times - 1
    return True


def refused(status: int, detail: str, *, path: str = _API, headers: dict[str, str] | None = None) -> Fault:
    """Any error, in the form of the API that was asked."""

    def act(request: Request, _: Proceed) -> Answer:
        return ServiceError(status, detail, headers=headers).answer(is_v2=request.is_v2)

    return Fault(act, path)


def unauthorised() -> Fault:
    """A key that is not known."""
    return refused(401, "Invalid token")


def forbidden() -> Fault:
    """A key that may not read this."""
    return refused(403, "Forbidden")


def rate_limited(seconds: str | None = "0.05") -> Fault:
    """A key that asks too often; ``None`` says nothing of how long to wait."""
    return refused(429, "Rate limit exceeded", headers={"retry-after": seconds} if seconds else None)


def down(status: int = 503) -> Fault:
    """A service that is not there."""
    return refused(status, "Service unavailable")


def cut() -> Fault:
    """A connection that ends in the middle of the answer."""
    return Fault(lambda request, go: replace(go(request), is_cut=True))


def page(status: int = 200) -> Fault:
    """A page of a web site instead of the API."""
    return Fault(lambda *_: Answer(b"<!doctype html><title>LangSmith</title>", status, {"content-type": "text/html"}))


def empty() -> Fault:
    """A window of time in which there is nothing."""
    return Fault(lambda *_: Answer({"items": []}), _V2_TRACE)


def redirected(to: str) -> Fault:
    """An answer that sends the asker elsewhere."""
    return Fault(lambda *_: Answer(b"", 307, {"location": to}))


def expired() -> Fault:
    """The address of a stored part is no longer good, as S3 says it."""
    said = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    return Fault(lambda *_: Answer(said, 403, {"content-type": "application/xml"}), "/blobs/*")


def elsewhere(url: str) -> Fault:
    """Stored parts that are said to be at another address."""

    def act(request: Request, go: Proceed) -> Answer:
        answer = go(request)
        return replace(answer, body=_moved(answer.body, url))

    return Fault(act, _V1_QUERY)


def _moved(found: Any, url: str) -> Any:  # noqa: ANN401  (any JSON)
    if isinstance(found, list):
        return [_moved(item, url) for item in found]
    if not isinstance(found, dict):
        return found
    return {key: url if key == "presigned_url" else _moved(item, url) for key, item in found.items()}
