"""What items need of the engine: traces, verdicts, diagnoses."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING

import pytest

from pytest_refinery import wiring
from pytest_refinery.analysis.ports import Judge, PreparingAnalyst, Summariser
from pytest_refinery.analysis.records import Outcome
from pytest_refinery.errors import Undecided
from pytest_refinery.integration.reporting.pictures import PictureCollector
from pytest_refinery.integration.reporting.progress import Progress
from pytest_refinery.integration.running import prefetch
from pytest_refinery.integration.running.item_cassette import ItemCassette, Services
from pytest_refinery.integration.running.prefetch import Prefetch, Reference
from pytest_refinery.integration.workers import DiagnosisLimit, shared_folder, trace_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from pytest_refinery.analysis.engine import Analysis, Engine
    from pytest_refinery.analysis.overview import Telling
    from pytest_refinery.analysis.ports import Analyst, Case, PromptFile, TokenBudget
    from pytest_refinery.analysis.records import ItemRecord, JudgeRecord, PlanRecord
    from pytest_refinery.analysis.schemas import Diagnosis
    from pytest_refinery.cassettes.tape import Tape
    from pytest_refinery.expectations.model import Expectation
    from pytest_refinery.integration.running.answer_cache import AnswerCache
    from pytest_refinery.settings import Settings
    from pytest_refinery.traces.model import Trace
    from pytest_refinery.traces.source import TraceSource

_PLANNING = "--refinery-plan spends nothing"
_ENDS_THE_RUN = (KeyboardInterrupt, SystemExit, pytest.exit.Exception)


class ItemServices:
    """Loads traces and diagnoses failures for the items of one process.

    Raises:
        ConfigurationError: Nobody offers the analyst that was asked for.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.root = config.rootpath
        self.pictures = PictureCollector(is_wanted=settings.report is not None)
        self._config = config
        self._settings = settings
        self._progress = Progress(config)
        self._shared_folder = shared_folder(config)
        self._diagnosis_limit = DiagnosisLimit(settings.max_diagnoses, folder=self._shared_folder)
        self._budget = cache(partial(self._build_budget, self._shared_folder))
        self._usual_analyst = self._chosen_analyst(settings.analyst, self._budget)
        self._usual_source = wiring.build_source(settings, keep_in=partial(trace_folder, config))
        self.cassette = ItemCassette(config, settings, self._services_while_open)
        self._ahead = Prefetch(partial(self._fetch, self._usual_source)) if prefetch.is_wise(config) else None

    def _chosen_analyst(self, name: str, budget: Callable[[], TokenBudget]) -> Analyst | PreparingAnalyst:
        return self._offered_analyst(name) or wiring.build_analyst(
            name, self._settings, tell=self._progress.show, budget=budget
        )

    def _offered_analyst(self, name: str) -> Analyst | PreparingAnalyst | None:
        offered: Analyst | PreparingAnalyst | None = self._config.hook.pytest_refinery_analyst(name=name)
        return offered

    def _services_while_open(self, tape: Tape) -> Services:
        """Return means that know nothing yet: a recording holds all that a replay asks."""
        name, settings = self._settings.analyst, self._settings
        offered = self._offered_analyst(name)
        if tape.is_replaying:
            known = wiring.metadata_of_cassette(tape.path)
            analyst = offered or wiring.build_replaying_analyst(name, settings, known)
            return Services(analyst, wiring.as_recorded(wiring.build_replaying_source(known), tape))
        analyst = offered or wiring.build_analyst(name, settings, budget=self._budget, is_recorded=True)
        tape.metadata = wiring.recording_metadata_of(analyst, self._budget)
        return Services(analyst, wiring.as_recorded(wiring.build_source(settings), tape))

    @property
    def _analyst(self) -> Analyst | PreparingAnalyst:
        return self.cassette.take.means.analyst if self.cassette.take else self._usual_analyst

    def _as_taped(self, case: Case) -> Case:
        """Return a case of which a model sees what its replay will see: what is asked next depends on it."""
        take = self.cassette.take
        return replace(case, trace=wiring.trace_as_recorded(case.trace, take.tape)) if take else case

    @property
    def _source(self) -> TraceSource:
        return self.cassette.take.means.source if self.cassette.take else self._usual_source

    @property
    def _engine(self) -> Engine:
        settings = replace(self._settings, inter_group_sleep_s=0.0) if self.cassette.is_replaying else self._settings
        return wiring.build_engine(settings, self._analyst, watch=self._progress.show)

    @property
    def _cache(self) -> AnswerCache | None:
        return None if self.cassette.take else self._usual_cache

    @cached_property
    def _usual_cache(self) -> AnswerCache | None:
        """The answers of earlier sessions, for an analyst whose answers cost something."""
        from pytest_refinery.integration.running.answer_cache import AnswerCache

        analyst, settings = self._usual_analyst, self._settings
        if not isinstance(analyst, PreparingAnalyst):
            return None
        cut = (settings.group_tokens, settings.group_size_runs, settings.disable_chunking)
        return AnswerCache(self._config, f"{analyst.name} {analyst.model} {analyst.fingerprint} {cut}")

    @cached_property
    def custom_checks(self) -> dict[str, Callable[..., object]]:
        """The checks that plugins and conftest files offer, by name."""
        return {name: check for offered in self._config.hook.pytest_refinery_check() for name, check in offered.items()}

    def load(self, reference: str, *, base: Path, project: str | None = None) -> Trace:
        """Return the trace that ``reference`` names, from the source that a plugin offers for it, or from our own.

        Raises:
            TraceError: It cannot be read.
        """
        wanted = Reference(reference, base, project)
        return (self._ahead.take(wanted) if self._ahead else None) or self._fetch(self._source, wanted)

    def _fetch(self, ours: TraceSource, wanted: Reference) -> Trace:
        offered: TraceSource | None = self._config.hook.pytest_refinery_trace_source(reference=wanted.reference)
        if offered is not None and self.cassette.take is not None:
            offered = wiring.as_recorded(offered, self.cassette.take.tape)
        return (offered or ours).load(wanted.reference, base=wanted.base, project=wanted.project)

    def read_ahead(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Begin to fetch the traces of ``item`` and of those behind it, where that is wise."""
        if self._ahead:
            self._ahead.before(item, nextitem)

    def runs_agent(self, expectation: Expectation) -> bool:
        """Tell whether the trace of an expectation is that of an agent run anew."""
        return self.agent_of(expectation) is not None

    def agent_of(self, expectation: Expectation) -> str | None:
        """Return the agent that is run anew for an expectation, ``None`` where its trace is a recorded one."""
        return expectation.agent or self._settings.agent

    def trials(self, nodeid: str, count: int) -> Iterator[int]:
        """Yield the number of each trial of an agent, from 1; what is recorded meanwhile is recorded as of it."""
        try:
            for number in range(1, count + 1):
                self.cassette.set_trial(number if count > 1 else 0)
                with self._progress.about(nodeid):
                    self._progress.show("running the agent" + (f", trial {number} of {count}" if count > 1 else ""))
                yield number
        finally:
            self.cassette.set_trial(0)

    def read_files(self, patterns: Iterable[str], *, base: Path) -> tuple[PromptFile, ...]:
        """Return the prompt or eval files that match ``patterns``.

        Raises:
            TraceError: A pattern matches nothing, or a file is no text.
        """
        return wiring.read_prompt_files(patterns, base=base, root=self.root)

    @property
    def has_judge(self) -> bool:
        """Whether a model can judge what no check decides."""
        return isinstance(self._analyst, Judge)

    @property
    def is_planning(self) -> bool:
        """Whether nothing may be spent, and something would be."""
        return self._settings.plan and not self.cassette.is_replaying

    def judged(self, nodeid: str, case: Case, *, trials: int, pass_rate: float) -> JudgeRecord:
        """Return the judge's verdict on an expectation without checks."""
        from pytest_refinery.analysis import deciding
        from pytest_refinery.analysis.job import TimedJob

        judge, cache = self._judge(), self._cache
        found = cache.verdict(case, trials=trials, pass_rate=pass_rate) if cache else None
        if found is not None:
            return found
        job = TimedJob(self._settings.timeout)
        with self._progress.about(nodeid):
            self._progress.show("judging")
            # Equal requests are answered in the order in which they were recorded.
            at_once = 1 if self.cassette.take else deciding.TRIALS_AT_ONCE
            found = deciding.decide(
                judge, self._as_taped(case), job, trials=trials, pass_rate=pass_rate, at_once=at_once
            )
        if cache:
            cache.keep_verdict(case, found)
        return found

    def planned_judge(self, record: ItemRecord, case: Case, *, trials: int) -> ItemRecord:
        """Return the record of an item that is not judged, with what that would cost."""
        from pytest_refinery.analysis import plans

        plan = plans.times(plans.of(self._judge().forecast_judge(case)), trials)
        return record.model_copy(
            update={"outcome": Outcome.SKIPPED, "plan": plan, "error": f"Not judged: {_PLANNING}."}
        )

    def _judge(self) -> Judge:
        if not isinstance(self._analyst, Judge):
            msg = f"The analyst {self._analyst.name} judges nothing."
            raise Undecided(msg)
        return self._analyst

    def _build_budget(self, shared_folder: Path | None) -> TokenBudget:
        return wiring.build_budget(
            self._settings, tell=self._progress.show, meter=self.pictures.spent, shared_folder=shared_folder
        )

    def told(self, failures: Sequence[ItemRecord], *, shared_folder: Path | None) -> Telling | None:
        """Return what a model says the diagnosed ``failures`` of the session have in common, ``None`` where none does.

        On the controller of workers their ``shared_folder`` is where tokens are counted. Where traffic is recorded or
        replayed, no model is asked: there is no cassette of a session.
        """
        from pytest_refinery.integration.reporting.failure_summary import Summarizer

        settings = self._settings
        budget = partial(self._build_budget, shared_folder)
        analyst = self._usual_analyst if shared_folder is None else self._chosen_analyst(settings.analyst, budget)
        if not isinstance(analyst, Summariser) or settings.plan or settings.record != "auto":
            return None
        return Summarizer(self._config, self._progress, seconds=settings.timeout).tell(analyst, failures)

    def planned_summary(self, failures: int) -> PlanRecord | None:
        """Return what a summary of so many failures would cost, ``None`` where there would be none."""
        from pytest_refinery.analysis import overview, plans

        if failures < overview.FEWEST or not isinstance(self._usual_analyst, Summariser):
            return None
        return plans.of(self._usual_analyst.forecast_summary(failures))

    def diagnosed(self, record: ItemRecord, case: Case) -> ItemRecord:
        """Return the record of a failed item with its diagnosis, or with why there is none."""
        record = self._diagnosed(record, case)
        self.pictures.draw(record, case)
        return record

    def _diagnosed(self, record: ItemRecord, case: Case) -> ItemRecord:
        if not self._settings.diagnose:
            return record
        found = self._cache.diagnosis(case) if self._cache else None
        if found is not None:
            return self._told(record, found)
        if self.is_planning:
            return self._planned(record, case)
        if not self._diagnosis_limit.take():
            limit = f"the limit of --refinery-max-diagnoses {self._settings.max_diagnoses} is reached"
            return record.model_copy(update={"error": f"Not diagnosed: {limit}."})
        # A test has cassettes of its own, which are open still.
        with self._progress.about(record.nodeid), wiring.in_front_of_other_cassettes():
            found, error = self._diagnose(case)
        if self.cassette.faults:
            found, error = None, f"No diagnosis: {self.cassette.faults[0]}"
        if found is None:
            return record.model_copy(update={"error": error})
        if self._cache:
            self._cache.keep_diagnosis(case, found)
        return self._told(record, found)

    def _planned(self, record: ItemRecord, case: Case) -> ItemRecord:
        from pytest_refinery.analysis import plans

        forecast = self._engine.forecast(case)
        plan = plans.of(forecast) if forecast else None
        return record.model_copy(update={"plan": plan, "error": f"Not diagnosed: {_PLANNING}."})

    def _told(self, record: ItemRecord, found: Diagnosis) -> ItemRecord:
        return record.model_copy(update={"diagnosis": found, "error": self._announce(record.nodeid, found)})

    def _announce(self, nodeid: str, diagnosis: Diagnosis) -> str | None:
        try:
            self._config.hook.pytest_refinery_diagnosed(nodeid=nodeid, diagnosis=diagnosis)
        except Exception as error:  # noqa: BLE001  (somebody else's hook; the item has failed for another reason)
            return f"The hook pytest_refinery_diagnosed failed: {type(error).__name__}: {error}"
        return None

    def _diagnose(self, case: Case) -> tuple[Diagnosis | None, str | None]:
        analysis: Analysis | None = None
        try:
            analysis = self._engine.begin(self._as_taped(case))
            found = analysis.finish()
        except _ENDS_THE_RUN:
            raise
        except BaseException as error:  # noqa: BLE001  (whatever happens here, the outcome of the item stands)
            why = f"{type(error).__name__}: {error}".splitlines()[0]
            if analysis is None:
                return None, f"No diagnosis: {why}"
            # pytest-timeout raises here, in the middle of the stages.
            self.cassette.spoil(f"the diagnosis was cut short ({why})")
            return analysis.so_far(f"cut short ({why})"), None
        if analysis.ran_out_of_time:
            self.cassette.spoil("the diagnosis was not finished in time (--refinery-timeout)")
        return found, None
