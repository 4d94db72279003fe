"""From an expectation to a verdict: its trace, its prompts, its checks, or the judge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_refinery.analysis import cases, exchange, prompt_versions
from pytest_refinery.analysis.records import (
    CheckRecord,
    ExpectationRecord,
    ItemRecord,
    JudgeVerdict,
    Outcome,
    TraceRecord,
)
from pytest_refinery.errors import Undecided
from pytest_refinery.expectations import checks

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_refinery.analysis.ports import Case, PromptFile
    from pytest_refinery.expectations.model import Expectation
    from pytest_refinery.expectations.verdicts import CheckFailure, Verdict
    from pytest_refinery.integration.running.item_services import ItemServices
    from pytest_refinery.traces.model import Trace

NO_JUDGE = (
    "Add `checks:` to this expectation, or set OPENAI_API_KEY so that a model judges its sentence. Nothing can decide "
    "this expectation: it has no checks, the analyst {analyst} judges no sentence, and there is no cassette {cassette} "
    "with a judge to replay. A verdict that is recorded once replays without a key: {command}."
)
NO_AGENT = (
    "There is no trace: 'inputs:' are for an agent, and none is named. Add `agent: package.module:callable` to the "
    "file, or set refinery_agent in pytest's configuration."
)
_OUTCOMES = {
    JudgeVerdict.MET: Outcome.PASSED,
    JudgeVerdict.NOT_MET: Outcome.FAILED,
    JudgeVerdict.UNDECIDED: Outcome.UNDECIDED,
}


def blank_record(expectation: Expectation, *, nodeid: str, file: str) -> ItemRecord:
    """Return the record of an expectation about which nothing is known."""
    return ItemRecord(
        nodeid=nodeid,
        outcome=Outcome.UNDECIDED,
        expectation=ExpectationRecord(
            id=expectation.id,
            expect=expectation.expect,
            business_context=expectation.business_context,
            severity=expectation.severity,
            file=file,
            line=expectation.line,
            tags=expectation.tags,
        ),
    )


def trace_record(trace: Trace, *, is_rerun: bool = False, reference: str | None = None) -> TraceRecord:
    """Return what a report says of a trace; ``reference`` is how the expectation names it."""
    is_page = reference is not None and reference.startswith(("https://", "http://")) and "/public/" not in reference
    return TraceRecord(
        id=trace.id,
        name=trace.name,
        source=trace.source,
        format=trace.format,
        runs=len(trace.runs),
        notes=trace.notes,
        is_rerun=is_rerun,
        url=reference if is_page else None,
    )


def begin(expectation: Expectation, services: ItemServices, *, base: Path) -> Evaluation:
    """Return what decides an expectation, with the files that it names.

    Raises:
        TraceError: A pattern matches nothing, or a file is no text.
    """
    return Evaluation(
        expectation=expectation,
        services=services,
        base=base,
        prompt_files=services.read_files(expectation.prompts, base=base),
        eval_files=services.read_files(expectation.evals, base=base),
    )


@dataclass(frozen=True)
class Evaluation:
    """What decides an expectation about one trace or another."""

    expectation: Expectation
    services: ItemServices
    base: Path
    prompt_files: tuple[PromptFile, ...] = ()
    eval_files: tuple[PromptFile, ...] = ()

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where the modules are looked for that the expectation names."""
        return tuple(dict.fromkeys((self.base, self.services.root)))

    def recorded(self) -> Trace:
        """Return the trace that the expectation names.

        Raises:
            RefineryError: It names none, or it cannot be read.
        """
        if self.expectation.trace is None:
            raise Undecided(NO_AGENT)
        return self.services.load(self.expectation.trace, base=self.base, project=self.expectation.project)

    def refuse_undecidable(self) -> None:
        """Refuse an expectation that nothing can decide, whatever the trace.

        Raises:
            Undecided: It has no checks, and there is no judge.
        """
        if not self.expectation.checks and not self.services.has_judge:
            raise Undecided(self.services.cassette.filled(NO_JUDGE, analyst=self.services.analyst_name))

    def case(self, trace: Trace) -> Case:
        """Return all that is known of the expectation about ``trace``."""
        return cases.of(self.expectation, trace, prompt_files=self.prompt_files, eval_files=self.eval_files)

    def run(self, record: ItemRecord, trace: Trace) -> tuple[ItemRecord, Case | None]:
        """Return the record with its verdict, and the case to diagnose where the expectation does not hold.

        Where the judge could not tell, the record's outcome is undecided, and its ``error`` says why.

        Raises:
            RefineryError: The expectation cannot be decided.
        """
        case = self.case(trace)
        if record.trace is not None:
            seen = record.trace.model_copy(update={"prompts": prompt_versions.counted(case)})
            record = record.model_copy(update={"trace": seen})
        record, failures = self._checked(record, case) if self.expectation.checks else self._judged(record, case)
        record = with_texts(record, trace)
        if record.outcome == Outcome.UNDECIDED:
            # A failed one is drawn with its diagnosis.
            self.services.draw(record, case)
        return record, replace(case, failures=failures) if record.outcome == Outcome.FAILED else None

    def _checked(self, record: ItemRecord, case: Case) -> tuple[ItemRecord, tuple[CheckFailure, ...]]:
        results = checks.run_checks(
            self.expectation.checks, case.trace, custom=self.services.custom_checks, import_from=self.folders
        )
        self.services.raised = next((result.raised for result in results if result.raised), None)
        outcome = Outcome.PASSED if all(result.passed for result in results) else Outcome.FAILED
        failures = tuple(result.failure for result in results if result.failure is not None)
        shown = tuple(_check_record(result) for result in results)
        return record.model_copy(update={"outcome": outcome, "checks": shown}), failures

    def _judged(self, record: ItemRecord, case: Case) -> tuple[ItemRecord, tuple[CheckFailure, ...]]:
        self.refuse_undecidable()
        trials = 1 if case.trace.is_live else self.expectation.trials
        if self.services.is_planning:
            return self.services.plan_judge(record, case, trials=trials), ()
        found = self.services.judge(record.nodeid, case, trials=trials, pass_rate=self.expectation.pass_rate)
        record = record.model_copy(update={"judge": found, "outcome": _OUTCOMES[found.verdict]})
        if found.verdict == JudgeVerdict.UNDECIDED:
            return record.model_copy(update={"error": f"The judge could not decide it. {cases.reasons(found)}"}), ()
        return record, (cases.judge_failure(found, case),)


def with_texts(record: ItemRecord, trace: Trace) -> ItemRecord:
    """Return the record with what was asked and answered, where somebody will look at it: not of a passed item."""
    if record.trace is None or record.outcome == Outcome.PASSED:
        return record
    return record.model_copy(update={"trace": exchange.with_texts(record.trace, trace)})


def _check_record(result: Verdict) -> CheckRecord:
    found = CheckRecord.model_validate(result, from_attributes=True)
    if result.failure is None:
        return found
    return found.model_copy(update={"text": result.failure.text, "label": result.failure.short})


def judge(
    expectation: Expectation, record: ItemRecord, services: ItemServices, *, base: Path
) -> tuple[ItemRecord, Case | None]:
    """Return the verdict on the recorded trace of an expectation; see ``Evaluation.run``.

    Raises:
        RefineryError: The expectation cannot be decided.
    """
    evaluation = begin(expectation, services, base=base)
    trace = evaluation.recorded()
    return evaluation.run(record.model_copy(update={"trace": trace_record(trace, reference=expectation.trace)}), trace)
