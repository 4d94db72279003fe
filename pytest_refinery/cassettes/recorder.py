"""VCR.py, and nothing else of ours that knows it: it stands between httpx (and httpx2) and the network.

Its own matching looks at every recorded request for each that is made, and two threads can be given the same answer. So
only its patches are used here, and the tape decides.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary

from vcr.cassette import Cassette
from vcr.filters import decode_response
from vcr.patch import PATCHER_NAMES

from pytest_refinery.cassettes import bodies, cassette_file, headers
from pytest_refinery.cassettes.interactions import Interaction, Request, Response
from pytest_refinery.cassettes.tape import Mode, Tape
from pytest_refinery.errors import CassetteError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vcr.request import Request as VcrRequest

    from pytest_refinery.cassettes.scrubbing import Scrubber

# Other libraries are not ours to record; VCR.py lets some of their requests through in threads (its issue 849).
_SKIPPED = tuple(name for name in PATCHER_NAMES if name not in {"httpx", "httpx2"})
_open = threading.Lock()


@contextmanager
def use(path: Path, mode: Mode | str, *, about: str, scrubber: Scrubber, recorded_against: str = "") -> Iterator[Tape]:
    """Answer from a cassette what is asked through httpx and httpx2 inside, in any thread, or record it.

    What was recorded is written when the block ends, also by an exception; not by one that ends the program, such as
    ``KeyboardInterrupt``, and not after ``Tape.discard()``. Where it cannot be written, ``Tape.trouble`` says why.

    Args:
        path: The file.
        about: What it is opened for: the id of an item, as pytest takes it.
        recorded_against: For the head of the file; by default the hosts that answered.

    Raises:
        CassetteError: The file cannot be used, or another cassette is open in this process.
    """
    mode = Mode(mode)
    with _alone(about):
        tape = Tape(path, mode, about=about, old=_loaded(path, mode))
        try:
            with _Patched.use(tape=tape, scrubber=scrubber, path=str(path), skip_patchers=_SKIPPED):
                yield tape
        except Exception:
            _keep(tape, recorded_against)
            raise
        else:
            _keep(tape, recorded_against)


@contextmanager
def _alone(about: str) -> Iterator[None]:
    # Patches that are taken off in another order than they were put on stay on for ever.
    if not _open.acquire(blocking=False):
        msg = f"{about}: another cassette is open in this process; nobody could tell whose a request is. Open one at a time."
        raise CassetteError(msg)
    try:
        yield
    finally:
        _open.release()


def _loaded(path: Path, mode: Mode) -> tuple[Interaction, ...] | None:
    return None if mode is Mode.ALL else cassette_file.load(path)


def _keep(tape: Tape, recorded_against: str) -> None:
    if tape.is_to_be_written:
        text = cassette_file.written(
            tape.interactions,
            about=tape.about,
            recorded_against=recorded_against,
            circumstances=tape.circumstances,
        )
        try:
            cassette_file.save(tape.path, text)
        except OSError as error:
            tape.trouble = (
                f"The cassette {tape.path} could not be written ({error.strerror}); the old one is unchanged."
            )


class _Patched(Cassette):  # type: ignore[misc]  # a library without types
    """What VCR.py's patches ask: ``can_play_response_for``, then ``play_response``, or after the answer ``append``."""

    @classmethod
    def load(cls, **kwargs: Any) -> Self:
        """Return a new one; the tape has read the file."""
        return cls(**kwargs)

    def __init__(self, *, tape: Tape, scrubber: Scrubber, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._tape = tape
        self._scrubber = scrubber
        self._asked: WeakKeyDictionary[VcrRequest, tuple[int, Request]] = WeakKeyDictionary()
        self._answers: WeakKeyDictionary[VcrRequest, Response] = WeakKeyDictionary()
        self._lock = threading.Lock()

    write_protected = False

    def can_play_response_for(self, request: VcrRequest) -> bool:
        """Take the answer of a request from the tape, for ``play_response``: nobody else can be given the same."""
        asked = self._scrubber.request(_request(request))
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
        """Record an answer."""
        with self._lock:
            order, asked = self._asked.pop(request)
        self._tape.record(order, Interaction(asked, self._scrubber.response(_response(response))))


def _request(request: VcrRequest) -> Request:
    content_type = request.headers.get("content-type", "")
    body = bodies.of_request(_decoded(request.headers, request.body or b""), content_type)
    return Request(request.method, request.uri, headers.without_boundary(content_type), body)


def _decoded(found: Any, content: bytes) -> bytes:
    plain = decode_response({"headers": {name: [value] for name, value in found.items()}, "body": {"string": content}})
    return bytes(plain["body"]["string"])


def _response(response: dict[str, Any]) -> Response:
    plain = decode_response(response)
    kept = headers.kept((name, value) for name, values in plain["headers"].items() for value in values)
    content_type = dict(kept).get("content-type", "")
    status = plain["status"]
    return Response(
        status["code"], headers.unusual_reason(status), kept, bodies.of_response(plain["body"]["string"], content_type)
    )


def _shown(response: Response) -> dict[str, Any]:
    found: dict[str, list[str]] = {}
    for name, value in response.headers:
        found.setdefault(name, []).append(value)
    return {
        "status": {"code": response.status, "message": response.reason},
        "headers": found,
        "body": {"string": bodies.rendered(response.body)},
    }
