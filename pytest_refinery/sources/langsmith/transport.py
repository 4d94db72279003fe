"""HTTP, and nothing else of ours that knows the library: plain requests in, plain responses out."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CONNECT_SECONDS, _ANSWER_SECONDS = 10.0, 60.0
_MEGABYTE = 1024 * 1024
_MOST_BYTES = 512 * _MEGABYTE


@dataclass(frozen=True)
class Request:
    """What is sent; ``headers`` may hold the key, so they are never shown."""

    method: str
    url: str
    query: Sequence[tuple[str, str]] = ()
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    most_bytes: int = _MOST_BYTES


@dataclass(frozen=True)
class Response:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""


class UnreachedError(Exception):
    """No whole answer came; ``str()`` is why, as a part of a sentence."""


class TooLargeError(Exception):
    """The answer is larger than the request allowed."""


class HttpTransport:
    """Sends requests, each once, from any thread. No redirect is followed: only the caller knows who may be asked.

    Args:
        answer_seconds: How long to wait for each part of an answer.
    """

    def __init__(self, *, answer_seconds: float = _ANSWER_SECONDS) -> None:
        self._answer_seconds = answer_seconds
        timeout = httpx2.Timeout(answer_seconds, connect=_CONNECT_SECONDS)
        self._client = httpx2.Client(timeout=timeout, follow_redirects=False)
        # Connections are kept open for the next request; an open socket that is just forgotten is a warning.
        weakref.finalize(self, self._client.close)

    def send(self, request: Request) -> Response:
        """Return the answer, whatever its status.

        Raises:
            UnreachedError: None came, or not the whole of it.
            TooLargeError: It is larger than ``request.most_bytes``, unpacked.
        """
        try:
            with self._client.stream(
                request.method,
                request.url,
                params=list(request.query) or None,
                json=request.body,
                headers=dict(request.headers),
            ) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Response(response.status_code, headers, _content(response, request.most_bytes))
        except httpx2.TimeoutException as error:
            why = f"no answer within {self._answer_seconds:g} s"
            raise UnreachedError(why) from error
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise UnreachedError(str(error) or type(error).__name__) from error


def _content(response: httpx2.Response, most_bytes: int) -> bytes:
    content = bytearray()
    for part in response.iter_bytes():
        content += part
        if len(content) > most_bytes:
            msg = f"more than {most_bytes // _MEGABYTE} MB"
            raise TooLargeError(msg)
    return bytes(content)
