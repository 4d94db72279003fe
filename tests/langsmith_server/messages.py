"""What goes in and out of the service, without HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One request; ``query`` keeps every value of a key."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    body: JsonObject = field(default_factory=dict)
    key: str | None = field(default=None, repr=False)
    workspace: str | None = None

    @property
    def is_v2(self) -> bool:
        """Whether it is one of the newer API, whose errors have another form."""
        return self.path.startswith("/api/v2/")

    def one(self, name: str) -> str | None:
        """Return the last value of a key in the query."""
        values = self.query.get(name)
        return values[-1] if values else None


@dataclass(frozen=True)
class Answer:
    """What is sent back; ``is_cut`` ends the connection in the middle of it."""

    body: object
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False

    @property
    def content(self) -> bytes:
        """The bytes: those given, else the body as JSON."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Exchange:
    """A request and what it got, for tests to look at."""

    request: Request
    answer: Answer
    at: float


class ServiceError(Exception):
    """A refusal; each version of the API has its own form of it."""

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}

    def answer(self, *, is_v2: bool) -> Answer:
        """Return it as v2 sends it (RFC 7807), or as v1 does."""
        body: JsonObject = {"detail": self.detail}
        if is_v2:
            body |= {"title": self.detail, "status": self.status, "type": "about:blank"}
        return Answer(body, self.status, self.headers)
