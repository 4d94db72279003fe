"""A request, its answer, and what makes two requests the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_refinery.cassettes.json_text import canonical

if TYPE_CHECKING:
    from pytest_refinery.cassettes.bodies import Body
    from pytest_refinery.traces.model import Json


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
