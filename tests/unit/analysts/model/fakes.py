"""A service, a budget and a job that do as they are told."""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_refinery.analysis.ports import Stage
from pytest_refinery.analysts.model.answers import GroupAnswer
from pytest_refinery.analysts.model.queries import Query
from pytest_refinery.analysts.model.replies import Answered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from threading import Event

    from pytest_refinery.analysis.ports import Work

OK: dict[str, Any] = {
    "status": "completed",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": '{"findings": []}'}]}],
    "usage": {"input_tokens": 100, "output_tokens": 10},
}


def make_query(model: str = "gpt-4.1-mini") -> Query:
    return Query(
        stage=Stage.TRACE_ANALYSIS,
        model=model,
        instructions="Be brief.",
        text="Read it.",
        answer=GroupAnswer,
        max_output_tokens=500,
        temperature=0.2,
    )


@dataclass
class ScriptedService:
    """Answers as told, in turn; an exception is raised."""

    script: list[dict[str, Any] | Exception]
    asked: list[dict[str, Any]] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=lambda: {"x-ratelimit-limit-tokens": "30000"})
    known: list[str] = field(default_factory=lambda: ["gpt-4.1-mini"])

    def load(self, api: str) -> None:
        pass

    def complete(self, request: Mapping[str, Any], *, timeout: float) -> Answered:
        return self.respond(request, timeout=timeout)

    def respond(self, request: Mapping[str, Any], *, timeout: float) -> Answered:
        self.asked.append(dict(request))
        self.timeouts.append(timeout)
        answer = self.script.pop(0) if self.script else OK
        if isinstance(answer, Exception):
            raise answer
        return Answered(answer, self.headers)

    def models(self) -> list[str]:
        return self.known


@dataclass
class RecordingLease:
    settled: list[int]
    seconds_waited: float = 0.25
    assumed_limit: int | None = None

    def settle(self, tokens: int, *, seconds: float | None = None) -> None:
        self.settled.append(tokens)


@dataclass
class RecordingBudget:
    """Grants everything, and keeps what it was told; ``wait`` is what it says to a 429."""

    wait: float | None = 0.0
    reserved: list[int] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)
    refusals: list[tuple[str, int]] = field(default_factory=list)
    observed: list[dict[str, str]] = field(default_factory=list)
    settled_when_observed: list[int] = field(default_factory=list)
    largest_request: int = 30_000
    assumed_limit: int | None = None
    foreseen: float = 0.0
    works: list[Work | None] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)

    def reserve(
        self,
        tokens: int,
        requests: int = 1,
        *,
        work: Work | None = None,
        again: Callable[[], int] | None = None,
        timeout: float | None = None,
        cancelled: Event | None = None,
    ) -> RecordingLease:
        self.reserved.append(tokens)
        self.works.append(work)
        return RecordingLease(self.settled, assumed_limit=self.assumed_limit)

    def finish(self, work_id: str) -> None:
        self.finished.append(work_id)

    def foreseen_wait(self, tokens: int) -> float:
        return self.foreseen

    def refused(self, headers: Mapping[str, str], message: str, *, code: str = "", attempt: int = 0) -> float | None:
        self.refusals.append((message, attempt))
        return self.wait

    def observe(self, headers: Mapping[str, str], *, age_seconds: float = 0.0) -> None:
        self.observed.append(dict(headers))
        self.settled_when_observed.append(len(self.settled))


@dataclass
class OpenJob:
    """A job with as much time as it is given."""

    left: float = 300.0
    cancelled: threading.Event = field(default_factory=threading.Event)
    costs: list[tuple[Stage, int, int]] = field(default_factory=list)
    waits: list[Stage] = field(default_factory=list)
    ends: list[Callable[[], None]] = field(default_factory=list)
    ahead: int = 0
    id: str = "job"
    notes: list[str] = field(default_factory=list)

    def seconds_left(self) -> float:
        return self.left

    def wait_left(self, foreseen: Callable[[], float]) -> float:
        return self.left

    @contextmanager
    def waiting(self, stage: Stage) -> Iterator[None]:
        self.waits.append(stage)
        yield

    def asking(self) -> AbstractContextManager[None]:
        return nullcontext()

    def expects(self, tokens: int) -> None:
        self.ahead += tokens

    def reserves(self, tokens: int) -> int:
        self.ahead = max(0, self.ahead - tokens)
        return self.ahead

    def at_end(self, call: Callable[[], None]) -> None:
        self.ends.append(call)

    def spent(self, stage: Stage, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        self.costs.append((stage, input_tokens, output_tokens))

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)
