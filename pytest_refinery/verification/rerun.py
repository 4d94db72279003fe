"""Tries a patch on an expectation whose agent can be run: without and with it, and the other expectations with it."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.analysis import statistics
from pytest_refinery.analysis.records import Outcome
from pytest_refinery.analysis.schemas import Trials
from pytest_refinery.analysis.session_report import session_cost
from pytest_refinery.verification import deciding, scratch
from pytest_refinery.verification.deciding import Others
from pytest_refinery.verification.scratch import NotPossible
from pytest_refinery.verification.suite_runs import SuiteRuns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.analysis.schemas import Verification, VerificationWay
    from pytest_refinery.verification.scratch import Copy, Workshop
    from pytest_refinery.verification.suite_runs import Suite, SuiteRun

HOW: VerificationWay = "rerun"
_JUDGE, _PROCESS = "judge", "process"


@dataclass(frozen=True)
class Patch:
    """A change to try.

    Attributes:
        text: As ``git apply`` takes it.
        folder: The folder of the project that its names are relative to.
        is_applied: Whether the working tree has it already, so that it is taken away for the trials without it.
    """

    text: str
    folder: Path
    is_applied: bool = False


@dataclass(frozen=True)
class Trial:
    """How one run came out; ``passed`` is ``None`` where that is open, and ``why`` says why.

    Attributes:
        failed: The names of the checks that failed.
    """

    passed: bool | None
    why: str = ""
    failed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Verifier:
    """Tries patches.

    Attributes:
        trials: How often the failed expectation is run without and with a patch.
        show: Shows what is being done.
        runs: Makes what runs the suite in a copy.
    """

    workshop: Workshop
    suite: Suite
    trials: int
    show: Callable[[str], None]
    runs: Callable[[Suite, Copy, tuple[str, ...]], SuiteRuns] = SuiteRuns

    def verify(self, record: ItemRecord, patch: Patch) -> Verification:
        """Return what trying the patch shows about a failed expectation with an agent."""
        attempt: _Attempt | None = None
        try:
            _refuse_where_impossible(record)
            changed = scratch.changed_by(patch.text, patch.folder)
            with self.workshop.copy_of(self.suite.root) as copy:
                below = copy.place_of(patch.folder).relative_to(copy.folder)
                runs = self.runs(self.suite, copy, tuple((below / name).as_posix() for name in changed))
                attempt = _Attempt(record, patch, runs, self.trials, self.show)
                return attempt.verdict()
        except NotPossible as why:
            return scratch.not_possible(why, how=HOW, tokens=attempt.tokens if attempt else 0)


def _refuse_where_impossible(record: ItemRecord) -> None:
    if record.agent is None:
        msg = "no agent is named that could be run; --refinery-replay asks the recorded model call again"
        raise NotPossible(msg)
    if sys.platform == "win32":
        msg = "a fix can be tried on systems with process groups only, not on Windows"
        raise NotPossible(msg)


class _Attempt:
    """The runs of one verification."""

    def __init__(
        self, record: ItemRecord, patch: Patch, runs: SuiteRuns, trials: int, show: Callable[[str], None]
    ) -> None:
        self.tokens = 0
        self._record = record
        self._patch = patch
        self._runs = runs
        self._trials = trials
        self._show = show
        self._is_read = False

    def verdict(self) -> Verification:
        """Return the verdict."""
        if self._patch.is_applied:
            self._take_out()
        before = self._before()
        if before.passed == before.trials:
            return deciding.decide(before, Trials(passed=0, trials=0), how=HOW, tokens=self.tokens)
        self._put_in()
        self._is_read = False
        after = _counted(self._repeated("with the fix"))
        if not self._is_read and after.passed <= before.passed:
            msg = f"nothing read {', '.join(self._runs.changed)} in the runs with the fix"
            raise NotPossible(msg)
        return deciding.decide(before, after, self._others(), how=HOW, tokens=self.tokens)

    def _put_in(self) -> None:
        self._runs.copy.apply(self._patch.text, below=self._patch.folder)

    def _take_out(self) -> None:
        self._runs.copy.apply(self._patch.text, below=self._patch.folder, is_reversed=True)

    def _before(self) -> Trials:
        """Return the trials without the fix; refuse those that fail in another way than the record says."""
        found = list(self._repeated("without the fix"))
        known = _failed(self._record)
        if not any(trial.passed or trial.failed & known for trial in found):
            msg = f"in a copy of the project it fails in another way: {found[0].why}"
            raise NotPossible(msg)
        return _counted(found)

    def _repeated(self, how: str) -> Iterator[Trial]:
        nodeid = self._record.nodeid
        for number in range(1, self._trials + 1):
            self._show(f"verifying the fix: run {number} of {self._trials} {how}")
            run = self._runs.run([nodeid])
            trial = self._taken(run).get(nodeid) or _ended(run)
            if trial.passed is None:
                msg = f"{how} it cannot be decided: {trial.why}"
                raise NotPossible(msg)
            yield trial

    def _others(self) -> Others:
        """Run the other expectations once with the fix, and those that then fail as often as the failed one."""
        self._show("verifying the fix: running the other expectations with it")
        agent = self._record.agent
        run = self._runs.run_others(agent.target if agent else "", self._record.nodeid)
        if run.problem:
            msg = f"the other expectations could not be run with the fix: {run.problem}"
            raise NotPossible(msg)
        found = self._taken(run)
        failing = [each for each, trial in found.items() if not trial.passed]
        if not failing:
            return Others(unchanged=len(found))
        self._show("verifying the fix: running what fails with it without it")
        self._take_out()
        once = self._taken(self._runs.run(failing))
        undecided = sum(each not in once or once[each].passed is None for each in failing)
        held = [each for each in failing if each in once and once[each].passed]
        lost, doubtful = self._lost(held) if held else ((), ())
        return Others(lost, doubtful, undecided, len(found) - undecided - len(lost) - len(doubtful))

    def _lost(self, held: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what is surely lost of what held once without the fix and failed once with it, and what may be."""
        before = Counter(held) + self._passes(held)
        self._put_in()
        after = self._passes(held)
        less = [each for each in held if after[each] < before[each]]
        lost = tuple(each for each in less if self._is_lost(before[each], after[each]))
        return lost, tuple(each for each in less if each not in lost)

    def _passes(self, nodeids: list[str]) -> Counter[str]:
        """Return how often each item passes in all trials but the first, which is known."""
        return Counter(
            nodeid
            for _ in range(self._trials - 1)
            for nodeid, trial in self._taken(self._runs.run(nodeids)).items()
            if trial.passed
        )

    def _is_lost(self, before: int, after: int) -> bool:
        with_fix, without = (Trials(passed=passed, trials=self._trials) for passed in (after, before))
        return statistics.chance_of_more(with_fix, without) <= deciding.ALPHA

    def _taken(self, run: SuiteRun) -> dict[str, Trial]:
        """Return the trials of a run by node id, and take note of what it cost and read."""
        if run.read_in_project:
            msg = (
                f"the runs read {', '.join(run.read_in_project)} of the project itself, not of its copy, so that no "
                "change of it could be seen. Read it by a path relative to the code or to the folder of the run"
            )
            raise NotPossible(msg)
        # Of a process that ended too early no one knows.
        self._is_read |= run.is_read or bool(run.problem)
        self.tokens += sum(map(session_cost, run.records))
        return {record.nodeid: _trial(record) for record in run.records}


def _ended(run: SuiteRun) -> Trial:
    """Return the trial that a process was which ended without a record: what an agent may do to it."""
    return Trial(passed=False, why=run.problem or "pytest did not run it", failed=frozenset({_PROCESS}))


def _trial(record: ItemRecord) -> Trial:
    if record.outcome in {Outcome.PASSED, Outcome.FAILED}:
        failed = next((check for check in record.checks if not check.passed), None)
        why = f"{failed.name}: {failed.actual}" if failed else record.error or ""
        return Trial(record.outcome is Outcome.PASSED, why, _failed(record))
    return Trial(None, record.error or record.outcome.value)


def _failed(record: ItemRecord) -> frozenset[str]:
    """Return the names of what a record failed by."""
    return frozenset({check.name for check in record.checks if not check.passed} or {_JUDGE})


def _counted(trials: Iterable[Trial]) -> Trials:
    found = [bool(trial.passed) for trial in trials]
    return Trials(passed=sum(found), trials=len(found))
