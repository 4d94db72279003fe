"""A request, its answer, and what makes two requests the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_refinery.cassettes.json_text import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_refinery.cassettes.bodies import Body
    from pytest_refinery.traces.model import Json

KEPT_HEADERS = frozenset(
    "content-disposition content-encoding content-language content-type link location www-authenticate "
    "x-should-retry".split()
)
"""What is recorded as it is."""
SHORTENED_WAITS = {"retry-after": "0.001", "retry-after-ms": "1", "openai-poll-after-ms": "1"}
"""What is recorded instead of each wait: a thousandth of a second. Clients take 0 for no answer."""
_USUAL_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True)
class Request:
    """A request as it is recorded and compared: without secrets, without headers but the type of its body.

    Attributes:
        trial: Which of several trials of an agent made it; 0 where there is but one.
    """

    method: str
    url: str
    content_type: str
    body: Body
    trial: int = 0

    @cached_property
    def text(self) -> str:
        """The canonical text of all of it that is compared."""
        of_trial: list[Json] = [self.trial] if self.trial else []
        return canonical([self.method, _complete(self.url), self.body.kind, self.body.value, *of_trial])

    @cached_property
    def key(self) -> str:
        """The same for all requests that may have the same answer."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def __str__(self) -> str:
        """Return the first line of it."""
        return f"{self.method} {self.url}"


@dataclass(frozen=True)
class Response:
    """An answer, without secrets and without the headers that change from time to time.

    Attributes:
        reason: The words after the status; ``""`` where they are the usual ones.
        headers: Names in lower case.
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: Body


@dataclass(frozen=True)
class Interaction:
    """A request and its answer."""

    request: Request
    response: Response


def _complete(url: str) -> str:
    """Return a URL with the path that an empty one stands for."""
    parts = urlsplit(url)
    return url if parts.path else parts._replace(path="/").geturl()


def kept_headers(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the headers that are recorded, in the order of their names, with every wait as short as can be."""
    found = ((name.lower(), value) for name, value in headers)
    return tuple(
        sorted(
            (name, SHORTENED_WAITS.get(name, value))
            for name, value in found
            if name in KEPT_HEADERS or name in SHORTENED_WAITS
        )
    )


def without_boundary(content_type: str) -> str:
    """Return the type of a body without the boundary between its parts, which is another each time."""
    if content_type.lower().startswith("multipart/"):
        return content_type.partition(";")[0].strip()
    return content_type


def unusual_reason(status: int, reason: str | None) -> str:
    """Return the words after a status where they are not those of its number."""
    return "" if not reason or not reason.isascii() or reason == _USUAL_REASONS.get(status) else reason
