"""What items need of the engine: traces, verdicts, diagnoses."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

import pytest

from pytest_refinery import wiring
from pytest_refinery.analysis.ports import Judge, PreparingAnalyst, Summariser
from pytest_refinery.analysis.records import Outcome
from pytest_refinery.errors import Undecided
from pytest_refinery.integration import read_ahead
from pytest_refinery.integration.album import Album
from pytest_refinery.integration.allowance import Allowance
from pytest_refinery.integration.progress import Progress
from pytest_refinery.integration.read_ahead import ReadAhead, Reference
from pytest_refinery.integration.trace_folder import trace_folder
from pytest_refinery.integration.workers import shared_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from pytest_refinery.analysis.engine import Analysis, Engine
    from pytest_refinery.analysis.overview import Telling
    from pytest_refinery.analysis.ports import Analyst, Case, PromptFile
    from pytest_refinery.analysis.records import ItemRecord, JudgeRecord
    from pytest_refinery.analysis.schemas import Diagnosis
    from pytest_refinery.expectations.model import Expectation
    from pytest_refinery.integration.diagnosis_cache import DiagnosisCache
    from pytest_refinery.settings import Settings
    from pytest_refinery.traces.model import Trace
    from pytest_refinery.traces.source import TraceSource

_PLANNING = "--refinery-plan spends nothing"
_ENDS_THE_RUN = (KeyboardInterrupt, SystemExit, pytest.exit.Exception)


class Workbench:
    """Loads traces and diagnoses failures for the items of one process.

    Raises:
        ConfigurationError: Nobody offers the analyst that was asked for.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.root = config.rootpath
        self.album = Album(is_wanted=settings.report is not None)
        self._config = config
        self._settings = settings
        self._progress = Progress(config)
        self._shared_folder = shared_folder(config)
        self._allowance = Allowance(settings.max_diagnoses, folder=self._shared_folder)
        self._analyst = self._chosen_analyst(settings.analyst, self._shared_folder)
        self._source = wiring.build_source(settings, keep_in=partial(trace_folder, config))
        self._ahead = ReadAhead(self._fetch) if read_ahead.is_wise(config) else None

    def _chosen_analyst(self, name: str, shared_folder: Path | None) -> Analyst | PreparingAnalyst:
        offered: Analyst | PreparingAnalyst | None = self._config.hook.pytest_refinery_analyst(name=name)
        tell, settings = self._progress.show, self._settings
        budget = partial(wiring.build_budget, settings, tell=tell, shared_folder=shared_folder)
        return offered or wiring.build_analyst(name, settings, tell=tell, budget=budget)

    @cached_property
    def _engine(self) -> Engine:
        return wiring.build_engine(self._settings, self._analyst, watch=self._progress.show)

    @cached_property
    def _cache(self) -> DiagnosisCache | None:
        """The diagnoses of earlier sessions, for an analyst whose diagnoses cost something."""
        from pytest_refinery.integration.diagnosis_cache import DiagnosisCache

        analyst, settings = self._analyst, self._settings
        if not isinstance(analyst, PreparingAnalyst):
            return None
        cut = (settings.group_tokens, settings.group_size_runs, settings.disable_chunking)
        return DiagnosisCache(self._config, f"{analyst.name} {analyst.model} {analyst.fingerprint} {cut}")

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
        return (self._ahead.take(wanted) if self._ahead else None) or self._fetch(wanted)

    def _fetch(self, wanted: Reference) -> Trace:
        offered: TraceSource | None = self._config.hook.pytest_refinery_trace_source(reference=wanted.reference)
        return (offered or self._source).load(wanted.reference, base=wanted.base, project=wanted.project)

    def read_ahead(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Begin to fetch the traces of ``item`` and of those behind it, where that is wise."""
        if self._ahead:
            self._ahead.before(item, nextitem)

    def runs_agent(self, expectation: Expectation) -> bool:
        """Tell whether the trace of an expectation is that of an agent run anew."""
        return bool(expectation.agent or self._settings.agent)

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
        """Whether nothing may be spent."""
        return self._settings.plan

    def judged(self, nodeid: str, case: Case, *, trials: int, pass_rate: float) -> JudgeRecord:
        """Return the judge's verdict on an expectation without checks."""
        from pytest_refinery.analysis import deciding
        from pytest_refinery.analysis.job import TimedJob

        judge = self._judge()
        job = TimedJob(self._settings.timeout)
        with self._progress.about(nodeid):
            self._progress.show("judging")
            return deciding.decide(judge, case, job, trials=trials, pass_rate=pass_rate)

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

    def told(self, failures: Sequence[ItemRecord], *, shared_folder: Path | None) -> Telling | None:
        """Return what a model says the diagnosed ``failures`` of the session have in common, ``None`` where none does.

        On the controller of workers their ``shared_folder`` is where tokens are counted. Where traffic is recorded or
        replayed, no model is asked: there is no cassette of a session.
        """
        from pytest_refinery.integration.telling import Teller

        settings = self._settings
        analyst = self._analyst if shared_folder is None else self._chosen_analyst(settings.analyst, shared_folder)
        if not isinstance(analyst, Summariser) or settings.plan or settings.record != "auto":
            return None
        return Teller(self._config, self._progress, seconds=settings.timeout).tell(analyst, failures)

    def diagnosed(self, record: ItemRecord, case: Case) -> ItemRecord:
        """Return the record of a failed item with its diagnosis, or with why there is none."""
        record = self._diagnosed(record, case)
        self.album.draw(record, case)
        return record

    def _diagnosed(self, record: ItemRecord, case: Case) -> ItemRecord:
        if not self._settings.diagnose:
            return record
        found = self._cache.find(case) if self._cache else None
        if found is not None:
            return self._told(record, found)
        if self._settings.plan:
            return self._planned(record, case)
        if not self._allowance.take():
            limit = f"the limit of --refinery-max-diagnoses {self._settings.max_diagnoses} is reached"
            return record.model_copy(update={"error": f"Not diagnosed: {limit}."})
        with self._progress.about(record.nodeid):
            found, error = self._diagnose(case)
        if found is None:
            return record.model_copy(update={"error": error})
        if self._cache:
            self._cache.keep(case, found)
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
            analysis = self._engine.begin(case)
            found = analysis.finish()
        except _ENDS_THE_RUN:
            raise
        except BaseException as error:  # noqa: BLE001  (whatever happens here, the outcome of the item stands)
            why = f"{type(error).__name__}: {error}".splitlines()[0]
            if analysis is None:
                return None, f"No diagnosis: {why}"
            # pytest-timeout raises here, in the middle of the stages.
            return analysis.so_far(f"cut short ({why})"), None
        else:
            return found, None
