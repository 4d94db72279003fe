"""One LangSmith: asks it in turn, waits where it asks to, and says in a sentence why there is no answer."""

from __future__ import annotations

import json
import math
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from pytest_refinery import rate_limit_headers
from pytest_refinery.errors import TraceError
from pytest_refinery.sources.langsmith.transport import Request, Response, TooLargeError, UnreachedError
from pytest_refinery.traces import json_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_refinery.traces.model import Json

_PASSING = frozenset({408, 425, 500, 502, 503, 504})
# What the SDK waits after a 429 that does not say how long.
_LIMITED_SECONDS = 30.0
# Where not even an error came, the next request would only wait for nothing, too.
_STILL_SILENT_SECONDS = 30.0
_LONGEST_WORDS = 200
_UNKNOWN = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_REDIRECTS = (301, 302, 307, 308)
_REFUSALS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: (
        "{host} does not accept the key in LANGSMITH_API_KEY{quoted}. Is it complete and still valid, and does "
        "LANGSMITH_ENDPOINT name the region it belongs to?"
    ),
    HTTPStatus.FORBIDDEN: (
        "{host} gives this key no access{quoted}. The key must be of the workspace that has the trace, and may read "
        "its runs; a key of several workspaces needs LANGSMITH_WORKSPACE_ID."
    ),
    HTTPStatus.NOT_FOUND: "{host} finds nothing there{quoted}.",
    **dict.fromkeys(_REDIRECTS, "{host} sends requests elsewhere{quoted}. Set LANGSMITH_ENDPOINT to where its API is."),
}
_UNKNOWN_PATH = (
    "{host} does not know such a request{quoted}. Does LANGSMITH_ENDPOINT name LangSmith's API, and is it new enough?"
)
_OTHER_REFUSAL = "{host} refused the request{quoted}."


class Refused(TraceError):  # noqa: N818  (what happened to the request)
    """LangSmith answered, but not what it was asked for.

    Attributes:
        status: Of the answer.
        is_unknown_path: Whether the answer is that of a backend which does not know this kind of request.
    """

    def __init__(self, sentence: str, status: int, *, is_unknown_path: bool = False) -> None:
        super().__init__(sentence)
        self.status = status
        self.is_unknown_path = is_unknown_path


def _refusal(response: Response, *, host: str, secrets: Iterable[str]) -> Refused:
    """Return the refusal that an answer is; none of the ``secrets`` is in its sentence."""
    said, is_problem = _words(response)
    for secret in secrets:
        said = said.replace(secret, "***")
    quoted = f" ({response.status}: {said})" if said else f" ({response.status})"
    is_unknown = response.status in _UNKNOWN and not is_problem
    sentence = _UNKNOWN_PATH if is_unknown else _REFUSALS.get(response.status, _OTHER_REFUSAL)
    return Refused(sentence.format(host=host, quoted=quoted), response.status, is_unknown_path=is_unknown)


def _words(response: Response) -> tuple[str, bool]:
    """Return what an error says, and whether it has the form that all errors of v2 have (RFC 7807)."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return "", False
    if not isinstance(body, dict):
        return "", False
    said = body.get("detail") or body.get("title") or body.get("error") or ""
    words = " ".join(said.split())[:_LONGEST_WORDS] if isinstance(said, str) else ""
    return words.rstrip("."), bool({"title", "status", "type"} & body.keys())


@dataclass(frozen=True)
class Lane:
    """A kind of request, and how many of it one key may send in how many seconds."""

    name: str
    requests: int
    seconds: float


# The limits that LangSmith's documentation states for each key.
V1_QUERY = Lane("v1-query", 15, 10.0)
V2 = Lane("v2", 300, 10.0)
OTHER = Lane("other", 2_000, 60.0)


class Pace(Protocol):
    """Spreads the requests of all processes that use one key."""

    def book(self, lane: str, *, requests: int, seconds: float) -> float:
        """Count a request and return how many seconds to wait before it may be sent."""
        ...

    def hold(self, lane: str, seconds: float) -> None:
        """Let no one send on a lane for so many seconds."""
        ...


class Sender(Protocol):
    """Sends one request, once."""

    def send(self, request: Request) -> Response:
        """Return the answer, whatever its status."""
        ...


class Service:
    """Sends requests to one endpoint, from any thread.

    Args:
        endpoint: Without ``/api``.
        headers: Those that say who asks; ``None`` for what needs no key.
        patience_seconds: How long to go on asking a LangSmith that does not answer, or says that it is asked too often.
    """

    def __init__(
        self,
        endpoint: str,
        headers: Mapping[str, str] | None,
        *,
        wire: Sender,
        pace: Pace,
        patience_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint = endpoint
        self.host = _host(endpoint)
        self._headers = headers or {}
        self._wire = wire
        self._pace = pace
        self._patience = patience_seconds
        self._sleep = sleep
        self._clock = clock
        # What is stored apart may be with others, who have troubles of their own.
        self._outages: defaultdict[str, _Outage] = defaultdict(lambda: _Outage(clock))

    def get(self, path: str, query: Sequence[tuple[str, str]], *, lane: Lane) -> Json:
        """Return the JSON at a path, as in ``/api/v2/traces/<id>/runs``.

        Raises:
            Refused: The answer is an error.
            TraceError: There is no answer.
        """
        return self._asked(Request("GET", self.endpoint + path, query, headers=self._headers), lane)

    def post(self, path: str, body: Mapping[str, Any], *, lane: Lane) -> Json:
        """Return the JSON that answers ``body``; raises as ``get``."""
        return self._asked(Request("POST", self.endpoint + path, body=body, headers=self._headers), lane)

    def _asked(self, request: Request, lane: Lane) -> Json:
        response = self.answer(request, lane)
        if response.status != HTTPStatus.OK:
            raise _refusal(response, host=self.host, secrets=self._headers.values())
        return self.parsed(response)

    def parsed(self, response: Response) -> Json:
        """Return the JSON of an answer.

        Raises:
            Refused: It holds none that can be worked with.
        """
        value = json_values.parsed(response.content.decode("utf-8", "replace"))
        if value is None:
            msg = f"{self.host} answered with something else than JSON. Does LANGSMITH_ENDPOINT name its API?"
            raise Refused(msg, response.status, is_unknown_path=True)
        return value

    def answer(self, request: Request, lane: Lane) -> Response:
        """Return the first answer that is neither a 429 nor a passing trouble.

        Raises:
            TraceError: There was none for as long as patience lasts.
        """
        host = _host(request.url)
        self._refuse_while_silent(host)
        failures = count()
        first_trouble: float | None = None
        while True:
            self._sleep_if(self._pace.book(lane.name, requests=lane.requests, seconds=lane.seconds))
            response = self._attempt(request)
            if isinstance(response, Response) and response.status != HTTPStatus.TOO_MANY_REQUESTS:
                return response
            first_trouble = self._clock() if first_trouble is None else first_trouble
            if isinstance(response, Response):
                asked = rate_limit_headers.seconds_in_headers(response.headers)
                self._hold(lane, host, _LIMITED_SECONDS if asked is None else asked, first_trouble)
            else:
                pause = rate_limit_headers.back_off(next(failures), first=1.0, longest=16.0)
                self._sleep_if(self._pause(host, response, pause, first_trouble))

    def _attempt(self, request: Request) -> Response | _Trouble:
        """Return the answer, or why there is none that counts."""
        try:
            response = self._wire.send(request)
        except UnreachedError as error:
            return _Trouble(str(error), is_silent=True)
        except TooLargeError as error:
            msg = f"The answer of {_host(request.url)} is larger than a trace may be ({error})."
            raise TraceError(msg) from error
        if response.status in _PASSING:
            return _Trouble(f"it answers {response.status}")
        self._outages[_host(request.url)].end()
        return response

    def _hold(self, lane: Lane, host: str, seconds: float, first_trouble: float) -> None:
        if self._clock() + seconds > first_trouble + self._patience:
            msg = (
                f"{host} says that this key asks too often (429), and to wait {seconds:.0f} s more; longer than "
                f"the {self._patience:g} s that REFINERY_FETCH_TIMEOUT allows. Run again later."
            )
            raise TraceError(msg)
        self._pace.hold(lane.name, seconds)

    def _pause(self, host: str, trouble: _Trouble, seconds: float, first_trouble: float) -> float:
        since = min(first_trouble, self._outages[host].begin())
        if self._clock() + seconds <= since + self._patience:
            return seconds
        self._outages[host].give_up(trouble)
        raise TraceError(self._down(host, trouble))

    def _refuse_while_silent(self, host: str) -> None:
        trouble = self._outages[host].silence(_STILL_SILENT_SECONDS)
        if trouble is not None:
            raise TraceError(self._down(host, trouble))

    def _down(self, host: str, trouble: _Trouble) -> str:
        return (
            f"{host} could not be asked for {self._patience:g} s ({trouble.why}). Run again later; traces that "
            "were fetched before are still there. (REFINERY_FETCH_TIMEOUT says how long to try.)"
        )

    def _sleep_if(self, seconds: float) -> None:
        if seconds > 0:
            self._sleep(seconds)


@dataclass(frozen=True)
class _Trouble:
    """Why there is no answer; ``is_silent`` where not even an error came."""

    why: str
    is_silent: bool = False


class _Outage:
    """Since when there is trouble with a host, for all threads: a suite waits for the end of it once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since: float | None = None
        self._given_up: tuple[float, _Trouble] | None = None

    def begin(self) -> float:
        """Return since when it lasts."""
        with self._lock:
            self._since = self._clock() if self._since is None else self._since
            return self._since

    def give_up(self, trouble: _Trouble) -> None:
        """Note that patience has ended: until there is an answer, no one has any left."""
        with self._lock:
            self._since = -math.inf
            self._given_up = self._clock(), trouble

    def silence(self, seconds: float) -> _Trouble | None:
        """Return what was given up less than ``seconds`` ago because there was no answer."""
        with self._lock:
            at, trouble = self._given_up or (0.0, None)
            is_on = trouble is not None and trouble.is_silent and self._clock() < at + seconds
            return trouble if is_on else None

    def end(self) -> None:
        """Note that there was an answer."""
        with self._lock:
            self._since = self._given_up = None


def _host(url: str) -> str:
    """Return the host of an address, with its port and without a password."""
    return urlsplit(url).netloc.rpartition("@")[2]
