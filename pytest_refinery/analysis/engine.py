"""From a case to a diagnosis, by any analyst."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pytest_refinery.analysis.composition import Composer
from pytest_refinery.analysis.concurrency import CutShort, run_all
from pytest_refinery.analysis.diagnosis_job import TimedJob
from pytest_refinery.analysis.ports import PreparingAnalyst
from pytest_refinery.analysis.stages import Stages, no_progress
from pytest_refinery.digest import grouping, render
from pytest_refinery.errors import AnalysisError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_refinery.analysis.ports import Analyst, Case, Forecast
    from pytest_refinery.analysis.schemas import Diagnosis
    from pytest_refinery.digest.grouping import Group
    from pytest_refinery.digest.render import Digest

_GROUP_TOKENS = 20_000
_FALLBACK_SECONDS = 30.0


@dataclass(frozen=True)
class Limits:
    """How a trace is cut, and how long its diagnosis may take.

    ``group_size_runs`` takes precedence over ``group_tokens``, ``disable_chunking`` over both. Without
    ``group_tokens`` a group may be as large as the analyst's calls. The time in which a diagnosis waits for others is
    no part of ``timeout_seconds``; ``max_wait_seconds`` bounds it, by default twice of what is foreseen at first.
    """

    group_tokens: int | None = None
    group_size_runs: int | None = None
    disable_chunking: bool = False
    timeout_seconds: float = 300.0
    max_wait_seconds: float | None = None
    pause_seconds: float = 0.0


class Engine:
    """Diagnoses failed expectations with one analyst, and with another where that one gives no usable answer.

    Args:
        fallback: Diagnoses what ``analyst`` cannot; it needs nothing from outside. ``None`` for no one.
        watch: Called with a few words about what an analyst that takes its time is doing.
    """

    def __init__(
        self,
        analyst: Analyst | PreparingAnalyst,
        limits: Limits,
        *,
        fallback: Analyst | None = None,
        watch: Callable[[str], None] = no_progress,
    ) -> None:
        self._analyst = analyst
        self._limits = limits
        self._fallback = fallback
        self._watch = watch
        self._last: tuple[Digest, int, tuple[Group, ...]] | None = None

    def begin(self, case: Case) -> Analysis:
        """Cut the trace into groups and return the analysis of it, ready to run.

        Raises:
            AnalysisError: That took all the time that there is.
        """
        job = TimedJob(self._limits.timeout_seconds, max_wait=self._limits.max_wait_seconds)
        ((_, cut),) = run_all([partial(self._cut, case)], workers=1, seconds_left=job.seconds_left)
        if isinstance(cut, CutShort):
            msg = f"the trace was not laid out within {job.seconds:g} s (--refinery-timeout)"
            raise AnalysisError(msg) from cut
        if isinstance(cut, Exception):
            raise cut
        digest, groups = cut
        composer = Composer(case, shown={entry.run_id: entry.text for entry in digest.entries})
        first = Attempt(self._stages(case, groups, job), job, analyst=self._analyst.name, model=self.model)
        second = partial(self._second, self._fallback, case, groups) if self._fallback else None
        return Analysis(composer, first, fallback=second)

    def forecast(self, case: Case) -> Forecast | None:
        """Return what the diagnosis of ``case`` would cost, ``None`` where it costs nothing."""
        if not isinstance(self._analyst, PreparingAnalyst):
            return None
        return self._analyst.forecast(case, self._cut(case)[1])

    @property
    def model(self) -> str:
        """The model that the analyst asks, ``""`` where there is none."""
        return self._analyst.model if isinstance(self._analyst, PreparingAnalyst) else ""

    def _cut(self, case: Case) -> tuple[Digest, tuple[Group, ...]]:
        digest = case.trace.derived(render.digest)
        fitting = (
            self._analyst.group_tokens(digest.tokens) if isinstance(self._analyst, PreparingAnalyst) else _GROUP_TOKENS
        )
        # Expectations about one trace stand together. Once, into a name: another thread may replace it.
        last = self._last
        if last is None or last[0] is not digest or last[1] != fitting:
            self._last = last = digest, fitting, self._groups(digest, fitting)
        return digest, last[2]

    def _groups(self, digest: Digest, fitting: int) -> tuple[Group, ...]:
        return grouping.group(
            digest,
            group_tokens=self._limits.group_tokens or fitting,
            group_size_runs=self._limits.group_size_runs,
            disable_chunking=self._limits.disable_chunking,
        )

    def _stages(self, case: Case, groups: Sequence[Group], job: TimedJob) -> Stages:
        if not isinstance(self._analyst, PreparingAnalyst):
            return Stages(self._analyst, case, groups, job)
        answering = self._analyst.prepare(case, groups, job)
        return Stages(answering, case, groups, job, watch=self._watch, pause=self._limits.pause_seconds)

    def _second(self, fallback: Analyst, case: Case, groups: Sequence[Group]) -> Attempt:
        # Its own time: that of the first is up, or was a moment.
        job = TimedJob(max(self._limits.timeout_seconds, _FALLBACK_SECONDS))
        return Attempt(Stages(fallback, case, groups, job), job, analyst=fallback.name)

    def diagnose(self, case: Case) -> Diagnosis:
        """Read the whole trace in stages and return what was found; what is missing stands in ``partial``.

        Raises:
            AnalysisError: Nothing of the trace could be read.
        """
        return self.begin(case).finish()


@dataclass(frozen=True)
class Attempt:
    """The stages of one analyst, and who that is."""

    stages: Stages
    job: TimedJob
    analyst: str
    model: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether it has come to a conclusion about something that was read."""
        return self.stages.has_read and self.stages.conclusion is not None


class Analysis:
    """The diagnosis of one case while it is being made."""

    def __init__(self, composer: Composer, attempt: Attempt, *, fallback: Callable[[], Attempt] | None) -> None:
        self._composer = composer
        self._first = attempt
        self._fallback = fallback

    def finish(self) -> Diagnosis:
        """Run the stages and return the diagnosis.

        Raises:
            AnalysisError: Nothing of the trace could be read.
        """
        self._first.stages.run()
        return self.so_far()

    @property
    def ran_out_of_time(self) -> bool:
        """Whether something is missing because the time was up."""
        return bool(self._first.stages.missing) and self._first.job.is_out_of_time

    def so_far(self, interruption: str | None = None) -> Diagnosis:
        """Return the diagnosis as far as it has come; ``interruption`` says what cut it short.

        Raises:
            AnalysisError: Nothing of the trace has been read.
        """
        first, interrupted = self._first, [interruption] if interruption else []
        if not first.is_usable and self._fallback is not None:
            return self._by_fallback(self._fallback(), why="; ".join([*interrupted, *first.stages.reasons]))
        if not first.stages.has_read:
            msg = f"nothing of the trace was read ({'; '.join([*interrupted, *first.stages.missing])})"
            raise AnalysisError(msg)
        return self._composer.diagnosis(
            first.stages,
            analyst=first.analyst,
            model=first.model,
            missing=[*interrupted, *first.stages.missing],
            notes=first.job.notes,
        )

    def _by_fallback(self, second: Attempt, *, why: str) -> Diagnosis:
        first = self._first
        second.stages.run()
        if not second.stages.has_read:
            msg = f"nothing of the trace was read ({'; '.join(filter(None, [why, *second.stages.missing]))})"
            raise AnalysisError(msg)
        who = f"The model {first.model}" if first.model else f"The analyst {first.analyst}"
        found = self._composer.diagnosis(
            second.stages,
            analyst=second.analyst,
            missing=[
                f"{who} gave no usable answer ({why.rstrip('.')}): diagnosed by the rules",
                *second.stages.missing,
            ],
            notes=first.job.notes,
        )
        return self._composer.with_remains(found, first.stages, model=first.model)
