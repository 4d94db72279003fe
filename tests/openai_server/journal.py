"""What happened, for tests to look at; no key is ever in it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.openai_server.messages import Answer, JsonObject, Request


@dataclass(frozen=True)
class Exchange:
    """A request and what it got.

    Attributes:
        body: The request's JSON, or the fields of its form.
        filename: Of the file that was uploaded.
        answer: The body of the answer.
        tokens: What the limits were charged.
        started: When it came, in seconds since 1970.
        ended: When it was answered.
        fault: The name of the scripted fault that befell it.
    """

    method: str
    path: str
    query: dict[str, str]
    body: JsonObject
    filename: str | None
    status: int
    answer: JsonObject
    tokens: int
    started: float
    ended: float
    fault: str | None

    @property
    def code(self) -> str | None:
        """The code of the error, where the answer is one."""
        error = self.answer.get("error")
        return error.get("code") if isinstance(error, dict) else None


class Journal:
    """All exchanges, in the order in which they were answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._exchanges: list[Exchange] = []

    def add(self, request: Request, answer: Answer, *, started: float, ended: float, fault: str | None) -> None:
        """Write one down."""
        exchange = Exchange(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            body=request.body,
            filename=request.upload.filename if request.upload else None,
            status=answer.status,
            answer=answer.body,
            tokens=answer.tokens,
            started=started,
            ended=ended,
            fault=fault,
        )
        with self._lock:
            self._exchanges.append(exchange)

    def exchanges(self) -> list[Exchange]:
        """Return all so far."""
        with self._lock:
            return list(self._exchanges)


def most_at_once(exchanges: list[Exchange]) -> int:
    """Return how many of them were under way at the same time."""
    moments = [(each.started, 1) for each in exchanges] + [(each.ended, -1) for each in exchanges]
    most = now = 0
    for _, change in sorted(moments):
        now += change
        most = max(most, now)
    return most
