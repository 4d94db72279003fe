"""What items need of the engine: traces, verdicts, diagnoses."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from pytest_refinery import wiring
from pytest_refinery.analysis.ports import Judge
from pytest_refinery.analysis.records import Outcome
from pytest_refinery.errors import Undecided
from pytest_refinery.expectations.verdicts import CheckFailure
from pytest_refinery.integration.item_records import SOURCE, find_record
from pytest_refinery.integration.running import prefetch
from pytest_refinery.integration.running.diagnosis import PLANNING, Diagnoses
from pytest_refinery.integration.running.earlier_traces import EarlierTraces
from pytest_refinery.integration.running.item_cassette import ItemCassette
from pytest_refinery.integration.running.prefetch import Prefetch, Reference
from pytest_refinery.integration.running.tags import Tags
from pytest_refinery.integration.running.verifications import DecisiveStep, Verifications
from pytest_refinery.integration.workers import counting_folder, trace_folder
from pytest_refinery.traces import saving
from pytest_refinery.wiring import Hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import pytest

    from pytest_refinery.analysis.ports import AnswerCache, Case, PromptFile
    from pytest_refinery.analysis.records import ItemRecord, JudgeRecord
    from pytest_refinery.expectations.checks import Check
    from pytest_refinery.expectations.model import Expectation
    from pytest_refinery.integration.running.diagnosis import Display
    from pytest_refinery.settings import Settings
    from pytest_refinery.traces.model import Trace
    from pytest_refinery.wiring import Services

_FOLDER_HOOKS = ("pytest_refinery_analyst", "pytest_refinery_model_client", "pytest_refinery_trace_source")


class Pictures(Protocol):
    """Takes what the page shows beside the records."""

    def draw(self, record: ItemRecord, case: Case) -> None:
        """Draw the trace of a failed item."""
        ...

    def keep_trace(self, nodeid: str, text: str) -> None:
        """Keep the trace that an agent made for an item."""
        ...

    def spent(self, tokens: int) -> None:
        """Take note of what a request cost."""
        ...


class ItemServices:
    """Serves the items of one process, one at a time, with the services of its folder or of its open cassette.

    Attributes:
        usual: The services of items whose folder offers nothing of its own.
        raised: What the agent or a check of the current item raised, where one did.

    Raises:
        ConfigurationError: No one offers the analyst that was asked for.
    """

    def __init__(self, config: pytest.Config, settings: Settings, *, display: Display, pictures: Pictures) -> None:
        self.root = config.rootpath
        self.raised: BaseException | None = None
        self._hooks = _hooks(config, display, pictures)
        self.usual = wiring.build(settings, self._hooks)
        self.cassette = ItemCassette(config, settings)
        self.tags = Tags(config)
        self._settings = settings
        self._display = display
        self._pictures = pictures
        self._earlier = EarlierTraces(config, settings)
        self._diagnoses = Diagnoses(config, settings, display)
        self._verifications = Verifications(config, settings, display)
        self._prefetch = Prefetch(self._load) if prefetch.is_wise(config) else None
        self._item: pytest.Item | None = None
        self._current = self.usual
        self._by_folder: dict[Path, Services] = {}
        self._by_offers: dict[frozenset[int], Services] = {frozenset(_offers(config.hook)): self.usual}
        _ = self.usual.analyst

    def add(self, node: pytest.Item | pytest.Collector) -> Services:
        """Return the services of a node's folder: conftest files there may offer an analyst or a source."""
        folder = node.path.parent
        if folder not in self._by_folder:
            hook = node.ihook
            offers = frozenset(_offers(hook))
            if offers not in self._by_offers:
                self._by_offers[offers] = self.usual.with_plugins(
                    partial(_offered_analyst, hook), partial(_offered_client, hook), partial(_offered_source, hook)
                )
            self._by_folder[folder] = self._by_offers[offers]
        return self._by_folder[folder]

    def build_again(self, shared_folder: Path) -> Services:
        """Return services that count their tokens with the workers of ``shared_folder``."""
        return wiring.build(self._settings, replace(self._hooks, shared_folder=lambda: shared_folder))

    def begin(self, item: pytest.Item) -> None:
        """Serve an item from now on; open its cassette, if it has one and it is not open yet.

        Raises:
            CassetteError: It cannot be used.
        """
        if find_record(item) is not None:
            self._item = item
            self._current = self.add(item)
            self.cassette.begin(item, self._current)
            item.stash[SOURCE] = self._services.source

    @property
    def _services(self) -> Services:
        return self.cassette.services or self._current

    @property
    def custom_checks(self) -> dict[str, Callable[..., object]]:
        """The checks that plugins and the conftest files of the item's folder offer, by name."""
        return custom_checks(self._item) if self._item else {}

    def load(self, reference: str, *, base: Path, project: str | None = None) -> Trace:
        """Return the trace that ``reference`` names, from the source that a plugin offers for it, or from our own.

        Raises:
            TraceError: It cannot be read.
        """
        fetched = self._prefetch.take(Reference(reference, base, project)) if self._prefetch else None
        return fetched or self._services.source.load(reference, base=base, project=project)

    def _load(self, wanted: Reference) -> Trace:
        source = self._by_folder[wanted.base].source
        return source.load(wanted.reference, base=wanted.base, project=wanted.project)

    def prefetch(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Begin to fetch the traces of ``item`` and of those behind it, where that is wise."""
        if self._prefetch:
            self._prefetch.before(item, nextitem)

    def agent_of(self, expectation: Expectation) -> str | None:
        """Return the agent that is re-run for an expectation, ``None`` where its trace is a recorded one."""
        return expectation.agent or self._settings.agent

    def trials(self, nodeid: str, count: int) -> Iterator[int]:
        """Yield the number of each trial of an agent, from 1; what is recorded meanwhile is recorded as of it."""
        try:
            for number in range(1, count + 1):
                self.cassette.set_trial(number if count > 1 else 0)
                with self._display.about(nodeid):
                    self._display.show("running the agent" + (f", trial {number} of {count}" if count > 1 else ""))
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
        return isinstance(self._services.analyst, Judge)

    @property
    def verify_trials(self) -> int | None:
        """How often a failure is run without and with its fix, ``None`` where fixes are not tried."""
        return self._settings.verify

    @property
    def updates(self) -> str | None:
        """Which outcomes make the trace of a re-run agent the new recording; ``None`` for none."""
        return self._settings.update

    @property
    def analyst_name(self) -> str:
        """What reports call the analyst."""
        return self._services.analyst.name

    @property
    def is_planning(self) -> bool:
        """Whether nothing may be spent, and something would be."""
        return self._settings.plan and not self._services.is_replaying

    def judge(self, nodeid: str, case: Case, *, trials: int, pass_rate: float) -> JudgeRecord:
        """Return the judge's verdict on an expectation without checks."""
        from pytest_refinery.analysis import verdicts
        from pytest_refinery.analysis.diagnosis_job import TimedJob

        judge, cache = self._judge(), self._services.cache
        case = self._services.as_sent(case)
        found = cache.verdict(case, trials=trials, pass_rate=pass_rate) if cache else None
        if found is not None:
            return found
        job = TimedJob(self._settings.timeout, max_wait=self._settings.max_wait)
        with self._display.about(nodeid):
            self._display.show("judging")
            # Equal requests are answered in the order in which they were recorded.
            at_once = 1 if self._services.asks_in_order else verdicts.TRIALS_AT_ONCE
            found = verdicts.decide(judge, case, job, trials=trials, pass_rate=pass_rate, at_once=at_once)
        if cache:
            cache.store_verdict(case, found)
        return found

    def plan_judge(self, record: ItemRecord, case: Case, *, trials: int) -> ItemRecord:
        """Return the record of an item that is not judged, with what that would cost."""
        from pytest_refinery.analysis import plans

        plan = plans.times(plans.of(self._judge().forecast_judge(case)), trials)
        failing = replace(case, failures=(CheckFailure(check="judge", expected=case.expect, actual=""),))
        diagnosis = self._services.engine.forecast(failing) if self._settings.diagnose else None
        plan = plans.if_failed(plan, plans.of(diagnosis)) if diagnosis else plan
        return record.model_copy(update={"outcome": Outcome.SKIPPED, "plan": plan, "error": f"Not judged: {PLANNING}."})

    def _judge(self) -> Judge:
        analyst = self._services.analyst
        if not isinstance(analyst, Judge):
            msg = f"The analyst {analyst.name} judges nothing."
            raise Undecided(msg)
        return analyst

    def diagnose(self, item: pytest.Item, record: ItemRecord, case: Case, checks: tuple[Check, ...] = ()) -> ItemRecord:
        """Return the record of a failed item with its diagnosis, or with why there is none.

        Args:
            item: The item.
            record: What is known of it.
            case: All that an analyst may know of it.
            checks: Those of its expectation.
        """
        case = self._services.as_sent(case)
        if record.agent is not None:
            parted = self._earlier.divergence(record.nodeid, case.trace, self._services.source)
            record = record.model_copy(update={"divergence": parted})
            # What a recording asks depends on no earlier run.
            case = case if self._services.asks_in_order else replace(case, divergence=parted)
        record = self._diagnoses.explain(item, record, case, self._services, self.cassette)
        step = DecisiveStep(case, checks, self.custom_checks, (item.path.parent, self.root))
        record = self._verifications.verified(record, step, self._services)
        self._pictures.draw(record, case)
        return record

    def keep_trace(self, nodeid: str, trace: Trace) -> None:
        """Keep the trace that an agent made for an item: a later run can be compared with it."""
        if self._settings.report is not None:
            self._pictures.keep_trace(nodeid, saving.text(wiring.build_scrubber().trace(trace)))

    def draw(self, record: ItemRecord, case: Case) -> None:
        """Draw the trace of an item that is not diagnosed."""
        self._pictures.draw(record, self._services.as_sent(case))


def custom_checks(node: pytest.Item | pytest.Collector) -> dict[str, Callable[..., object]]:
    """Return the checks that plugins and the conftest files of a node's folder offer, by name."""
    return {name: check for offered in node.ihook.pytest_refinery_check() for name, check in offered.items()}


def _hooks(config: pytest.Config, display: Display, pictures: Pictures) -> Hooks:
    return Hooks(
        analyst=partial(_offered_analyst, config.hook),
        model_client=partial(_offered_client, config.hook),
        trace_source=partial(_offered_source, config.hook),
        answer_cache=partial(_answer_cache, config),
        show=display.show,
        show_time_left=display.show_time_left,
        count_tokens=pictures.spent,
        trace_folder=partial(trace_folder, config),
        shared_folder=partial(counting_folder, config),
    )


# Pytest has no public name for what calls hooks.
def _offered_analyst(hook: Any, name: str) -> Any:  # noqa: ANN401
    return hook.pytest_refinery_analyst(name=name)


def _offered_client(hook: Any, name: str) -> Any:  # noqa: ANN401
    return hook.pytest_refinery_model_client(name=name)


def _offered_source(hook: Any, reference: str) -> Any:  # noqa: ANN401
    return hook.pytest_refinery_trace_source(reference=reference)


def _offers(hook: Any) -> Iterator[int]:  # noqa: ANN401
    for name in _FOLDER_HOOKS:
        yield from (id(implementation) for implementation in getattr(hook, name).get_hookimpls())


def _answer_cache(config: pytest.Config, fingerprint: str) -> AnswerCache:
    from pytest_refinery.integration.running.answer_cache import AnswerCache

    return AnswerCache(config, fingerprint)
