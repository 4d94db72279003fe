"""VCR.py, and nothing else of ours that knows it: it stands between httpx (and httpx2) and the network.

Its own matching looks at every recorded request for each that is made, and two threads can be given the same answer. So
only its patches are used here, and the tape decides.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from vcr.cassette import Cassette
from vcr.filters import decode_response
from vcr.patch import CassettePatcherBuilder, force_reset

from pytest_refinery.cassettes import bodies, cassette_file, normalize, scrubbing
from pytest_refinery.cassettes.cassette_file import Stamp
from pytest_refinery.cassettes.interactions import (
    Interaction,
    Request,
    Response,
    kept_headers,
    unusual_reason,
    without_boundary,
)
from pytest_refinery.cassettes.tape import Mode, Tape
from pytest_refinery.errors import CassetteError
from pytest_refinery.scrubbing.environment import of_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from vcr.request import Request as VcrRequest

    from pytest_refinery.scrubbing.scrubber import Scrubber

# Other libraries are not ours to record; VCR.py lets some of their requests through in threads (its issue 849).
# Beside each its core, where respx puts its mocks.
_CLIENTS = {"httpx": "httpcore", "httpx2": "httpcore2"}
# What goes to the network. Users' mocks and applications in the same process answer for themselves.
_TRANSPORTS = frozenset({"HTTPTransport", "AsyncHTTPTransport"})
# Where LangSmith's clients send runs: https://api.smith.langchain.com/redoc. Elsewhere /runs may start an agent.
_LANGSMITH_RUNS = re.compile(r"/(?:api/v\d+/)?(?:otel/v1/traces|runs(?:/batch|/multipart|/[0-9a-f-]{36})?)")
_MULTIPART = "/runs/multipart"
_LANGSMITH = ".smith.langchain.com"
_ENDPOINTS = ("LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT")
# OpenTelemetry's protocol over HTTP: https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
_OTLP = ("/v1/traces", "/v1/logs", "/v1/metrics")
_OTLP_PORT = 4318
_POOLS = (("ConnectionPool", "handle_request"), ("AsyncConnectionPool", "handle_async_request"))
_open = threading.Lock()
_patched: list[_Patched] = []


@contextmanager
def use(
    path: Path,
    mode: Mode | str,
    *,
    about: str,
    scrubber: Scrubber,
    recorded_against: str = "",
    environment: Mapping[str, str] = os.environ,
) -> Iterator[Tape]:
    """Answer from a cassette what is asked through httpx and httpx2 inside, in any thread, or record it.

    What was recorded is written when the block ends, also by an exception; not by one that ends the program, such as
    ``KeyboardInterrupt``, and not after ``Tape.discard()``. Where it is not written, ``Tape.trouble`` says why.

    Args:
        path: The file.
        mode: What becomes of requests.
        about: What it is opened for: the id of an item, as pytest takes it.
        scrubber: What no cassette may hold.
        recorded_against: For the head of the file; by default the hosts that answered.
        environment: A cassette that would hold a secret of these variables is not written.

    Raises:
        CassetteError: The file cannot be used, or another cassette is open in this process.
    """
    mode = Mode(mode)
    with _alone(about):
        stamp = Stamp.of(path)
        old = None if mode is Mode.ALL else cassette_file.load(path)
        tape = Tape(path, mode, about=about, old=old, scrubber=scrubber)
        try:
            with _quiet(), _between(tape):
                yield tape
        except Exception:
            _keep(tape, recorded_against, environment, over=stamp)
            raise
        else:
            _keep(tape, recorded_against, environment, over=stamp)


@contextmanager
def _alone(about: str) -> Iterator[None]:
    # Patches that are taken off in another order than they were put on stay on for ever.
    if not _open.acquire(blocking=False):
        msg = f"{about}: another cassette is open in this process, and requests do not say whose they are. Close it."
        raise CassetteError(msg)
    try:
        yield
    finally:
        _open.release()


@contextmanager
def in_front() -> Iterator[None]:
    """Put the open cassette, or the network where none is open, in front of what others have put there meanwhile.

    A test has its own cassettes and mocks; what is asked about the test is none of their business. Afterwards they are
    where they were.
    """
    with ExitStack() as stack:
        if _patched:
            _install(_patched, stack)
        else:
            stack.enter_context(force_reset())
        yield


@contextmanager
def _between(tape: Tape) -> Iterator[None]:
    _patched[:] = [_Patched(client, tape=tape) for client in _CLIENTS]
    try:
        with ExitStack() as stack:
            _install(_patched, stack)
            yield
    finally:
        _patched.clear()


def _install(patched: Iterable[_Patched], stack: ExitStack) -> None:
    for each in patched:
        for patch in CassettePatcherBuilder(each).build():
            if _is_of_transport(patch, each.client):
                stack.enter_context(patch)


def _is_of_transport(patch: Any, client: str) -> bool:  # noqa: ANN401  (of a library without types)
    # Only versions from 9.4 can be told which libraries to leave alone.
    target = patch.getter() if hasattr(patch, "getter") else None
    return getattr(target, "__module__", "") == client and getattr(target, "__name__", "") in _TRANSPORTS


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep VCR.py from logging: it names URLs with all that is in them."""
    log = logging.getLogger("vcr")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _keep(tape: Tape, recorded_against: str, environment: Mapping[str, str], *, over: Stamp | None) -> None:
    if not tape.is_to_be_written:
        return
    try:
        found = normalize.stabilize_ids(tape.interactions)
        text = cassette_file.written(
            found,
            about=tape.about,
            recorded_against=recorded_against or _hosts(found),
            metadata=tape.metadata,
        )
        scrubbing.check(found, text, path=tape.path, secrets=of_environment(environment))
        cassette_file.save(tape.path, text, over=over)
    except CassetteError as error:
        tape.trouble = str(error)


def _hosts(interactions: Iterable[Interaction]) -> str:
    return ", ".join(sorted({urlsplit(each.request.url).netloc.rpartition("@")[2] for each in interactions}))


class _Patched(Cassette):  # type: ignore[misc]  # a library without types
    """What VCR.py's patches ask: ``can_play_response_for``, then ``play_response``, or after the answer ``append``.

    Args:
        client: Whose requests it is asked about.
    """

    def __init__(self, client: str, *, tape: Tape) -> None:
        super().__init__(path=str(tape.path))
        self.client = client
        self._tape = tape
        self._scrubber = scrubbing.ExchangeScrubber(tape.scrubber)
        self._core = _CLIENTS[client]
        self._asked: WeakKeyDictionary[VcrRequest, tuple[int, Request]] = WeakKeyDictionary()
        self._answers: WeakKeyDictionary[VcrRequest, Response] = WeakKeyDictionary()
        self._lock = threading.Lock()

    write_protected = False

    def can_play_response_for(self, request: VcrRequest) -> bool:
        """Take the answer of a request from the tape, for ``play_response``: no one else can be given the same."""
        if is_an_upload(request.method, request.uri) or is_mocked(self._core):
            return False
        asked = self._scrubber.request(replace(_request(request), trial=self._tape.trial))
        answer = self._tape.answer(asked)
        with self._lock:
            if answer is None:
                self._asked[request] = (self._tape.order(), asked)
            else:
                self._answers[request] = answer
        return answer is not None

    def play_response(self, request: VcrRequest) -> dict[str, Any]:
        """Return the answer that was taken."""
        with self._lock:
            return _shown(self._answers.pop(request))

    def append(self, request: VcrRequest, response: dict[str, Any]) -> None:
        """Record an answer, unless it was none of ours."""
        with self._lock:
            order, asked = self._asked.pop(request, (0, None))
        if asked is None:
            return
        self._tape.record(order, Interaction(asked, self._scrubber.response(_response(response))))


def _request(request: VcrRequest) -> Request:
    content_type = request.headers.get("content-type", "")
    headers_of = {name: [value] for name, value in request.headers.items()}
    plain = _decompressed({"headers": headers_of, "body": {"string": request.body or b""}})
    body = bodies.of_request(plain["body"]["string"], content_type)
    return Request(request.method, request.uri, without_boundary(content_type), body)


def _decompressed(response: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without its compression; as it is where that cannot be taken off."""
    if "content-encoding" not in map(str.lower, response["headers"]):
        return response
    plain: dict[str, Any] = decode_response(response)
    return response if plain["body"] == response["body"] else plain


def _response(response: dict[str, Any]) -> Response:
    plain = _decompressed(response)
    kept = kept_headers((name, value) for name, values in plain["headers"].items() for value in values)
    body = bodies.of_response(plain["body"]["string"], dict(kept).get("content-type", ""))
    status, reason = plain["status"]["code"], plain["status"]["message"]
    return Response(status, unusual_reason(status, reason), kept, body)


def _shown(response: Response) -> dict[str, Any]:
    found: dict[str, list[str]] = {}
    for name, value in response.headers:
        found.setdefault(name, []).append(value)
    return {
        "status": {"code": response.status, "message": response.reason},
        "headers": found,
        "body": {"string": bodies.rendered(response.body)},
    }


def is_an_upload(method: str, url: str) -> bool:
    """Tell whether a request sends what a tracer has seen: that is about the item, not part of it."""
    if method not in {"POST", "PATCH"}:
        return False
    parts = urlsplit(url)
    if parts.path.endswith(_MULTIPART):
        return True
    if f".{parts.hostname}".endswith(_LANGSMITH) or parts.netloc in _langsmiths():
        return _LANGSMITH_RUNS.fullmatch(parts.path) is not None
    return f"/{parts.path}".endswith(_OTLP) and (parts.port == _OTLP_PORT or parts.path.endswith("/traces"))


def _langsmiths() -> set[str]:
    return {urlsplit(os.environ[name]).netloc for name in _ENDPOINTS if os.environ.get(name)}


def is_mocked(core: str) -> bool:
    """Tell whether somebody answers for the network beneath a library, as respx does beneath httpx.

    Args:
        core: The package through which the library reaches the network: ``httpcore``.
    """
    module = sys.modules.get(core)
    return module is not None and any(
        getattr(getattr(module, pool), method).__module__.partition(".")[0] != core for pool, method in _POOLS
    )
