"""An expectation whose agent is re-run: called, traced, and judged on the trace that this makes."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_refinery import wiring
from pytest_refinery.analysis import trials
from pytest_refinery.analysis.records import CheckRecord, Outcome
from pytest_refinery.errors import RefineryError, Undecided
from pytest_refinery.expectations.verdicts import CheckFailure
from pytest_refinery.integration.running import evaluation, recordings
from pytest_refinery.traces import inputs as trace_inputs
from pytest_refinery.traces.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.analysis.ports import Case
    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.expectations.model import Expectation
    from pytest_refinery.integration.running.evaluation import Evaluation
    from pytest_refinery.integration.running.item_services import ItemServices
    from pytest_refinery.traces.model import Trace

_NOT_RUN = "Not run: --refinery-plan spends nothing, and what the agent would spend is not known."
_WOULD_VERIFY = (
    " If it fails and a fix is suggested, --refinery-verify {trials} would run it {runs} times more, and the other "
    "expectations of its agent at least once."
)
_NO_INPUTS = "{source}: the trace records no inputs of its root to call the agent with. Give the expectation 'inputs:'."
# What no agent does: Ctrl-C, the end of the run, what a test says of itself.
_NOT_ITS_FAILURE = (KeyboardInterrupt, pytest.exit.Exception, pytest.skip.Exception, RefineryError)
_ANSWERS = "the agent to answer"


@dataclass(frozen=True)
class AgentRun:
    """An agent that is ready to be called, and what decides about the traces that this makes.

    Attributes:
        target: ``package.module:callable``.
        inputs: What it is called with.
        call: Calls it, and returns its output.
        traces: What each call made.
    """

    target: str
    inputs: object
    call: Callable[[], object]
    evaluation: Evaluation
    traces: list[Trace] = field(default_factory=list)

    def evaluate(self, record: ItemRecord, services: ItemServices) -> tuple[ItemRecord, Case | None]:
        """Run the agent as often as the expectation says; return the record, and the case of the trial to diagnose.

        Raises:
            RefineryError: The agent could not be called, or what its tracing recorded is no trace.
        """
        expectation = self.evaluation.expectation
        found: list[tuple[ItemRecord, Case | None]] = []
        traces: list[Trace] = []
        for _ in services.trials(record.nodeid, expectation.trials):
            trace, error = self._run()
            traces.append(trace)
            found.append(self._decided(record, trace, error))
            if isinstance(error, pytest.fail.Exception):
                # pytest-timeout: the item has no time left.
                break
        record = trials.combined(
            [each for each, _ in found],
            target=self.target,
            planned=expectation.trials,
            pass_rate=expectation.pass_rate,
        )
        if (when := services.updates) is not None and record.agent is not None:
            shown = traces[record.agent.shown - 1]
            record = recordings.updated(
                record, shown, reference=expectation.trace, base=self.evaluation.base, when=when
            )
        return record, next((case for each, case in found if each.outcome == Outcome.FAILED == record.outcome), None)

    def _run(self) -> tuple[Trace, BaseException | None]:
        """Return the trace of one call, and what the agent raised, if it did."""
        recorder = Recorder(self.target, source=f"agent {self.target}")
        error: BaseException | None = None
        try:
            with recorder.capturing(wiring.build_captures(), inputs=self.inputs) as root:
                root.outputs = self.call()
        except _NOT_ITS_FAILURE:
            raise
        except BaseException as raised:  # noqa: BLE001  (whatever an agent raises is how it failed)
            error = raised
            self.evaluation.services.raised = raised
        trace = recorder.trace()
        if trace is None:
            msg = f"agent: {self.target}: it was not called, since its tracing could not be captured: {error!r}."
            raise Undecided(msg) from error
        self.traces.append(trace)
        return trace, error

    def _decided(self, record: ItemRecord, trace: Trace, error: BaseException | None) -> tuple[ItemRecord, Case | None]:
        record = record.model_copy(update={"trace": evaluation.trace_record(trace, is_rerun=True)})
        if error is not None:
            return self._raised(record, trace, error)
        try:
            return self.evaluation.run(record, trace)
        except RefineryError as reason:
            return record.model_copy(update={"outcome": Outcome.UNDECIDED, "error": str(reason)}), None

    def _raised(self, record: ItemRecord, trace: Trace, error: BaseException) -> tuple[ItemRecord, Case]:
        raised = f"{type(error).__name__}: {error}".rstrip(".: ")
        actual = f"it raised {raised}{_place(error, self.evaluation.folders)}"
        root = trace.root
        check = CheckRecord(
            name="agent", passed=False, expected=_ANSWERS, actual=actual, run_id=root.id, run_name=root.name
        )
        failure = CheckFailure(check="agent", expected=_ANSWERS, actual=actual, run_id=root.id, error=raised)
        record = record.model_copy(update={"outcome": Outcome.FAILED, "checks": (check,)})
        return evaluation.with_texts(record, trace), replace(self.evaluation.case(trace), failures=(failure,))


def prepared(expectation: Expectation, services: ItemServices, *, base: Path) -> AgentRun:
    """Return the agent of an expectation, ready to be run.

    Raises:
        RefineryError: It cannot be imported, there is nothing to call it with, or nothing could decide about its trace.
    """
    target = services.agent_of(expectation) or ""
    begun = evaluation.begin(expectation, services, base=base)
    begun.refuse_undecidable()
    agent = wiring.build_agent(target, import_from=begun.folders)
    inputs = expectation.inputs if expectation.inputs is not None else _recorded(begun)
    return AgentRun(target, inputs, agent.call(inputs), begun)


def not_run(record: ItemRecord, *, trials: int | None = None) -> ItemRecord:
    """Return the record of an item whose agent is not run, because nothing may be spent.

    Args:
        record: The record.
        trials: How often it would be run without and with a fix.
    """
    more = _WOULD_VERIFY.format(trials=trials, runs=2 * trials) if trials else ""
    return record.model_copy(update={"outcome": Outcome.SKIPPED, "error": f"{_NOT_RUN}{more}"})


def _recorded(begun: Evaluation) -> object:
    trace = begun.recorded()
    inputs = trace_inputs.of(trace)
    if inputs is None:
        raise Undecided(_NO_INPUTS.format(source=trace.source))
    return inputs


def _place(error: BaseException, folders: tuple[Path, ...]) -> str:
    """Return where in the suite's own files an exception came from."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        folder = next((folder for folder in folders if path.is_relative_to(folder)), None)
        if folder is not None and "site-packages" not in path.parts:
            return f" at {path.relative_to(folder)}:{frame.lineno}"
    return ""
