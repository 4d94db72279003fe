"""Reports and pictures made by hand, and what hostile traces would like to do to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_refinery.analysis import pictures
from pytest_refinery.analysis.records import (
    AgentRecord,
    CheckRecord,
    ExpectationRecord,
    ItemRecord,
    JudgeRecord,
    JudgeVerdict,
    Outcome,
    Report,
    TraceRecord,
    TrialRecord,
)
from pytest_refinery.analysis.schemas import (
    Confidence,
    Coverage,
    Diagnosis,
    Evidence,
    FailureType,
    Finding,
    Gap,
    StageReport,
    StalePrompt,
    SuggestedFix,
)
from pytest_refinery.analysis.session_report import compile_report
from pytest_refinery.traces.model import Run, Trace

PROMISE = "From now on I will leave them out."
HOSTILE = (
    "<script>document.title = 'taken over'</script>",
    "</script><script>document.title = 'taken over'</script>",
    "</style><img src=x onerror=\"document.title = 'taken over'\">",
    "\" autofocus onfocus=\"document.title = 'taken over'",
    "<a href='javascript:alert(1)'>javascript:alert(1)</a>",
    "<!--<script>",
    "]]>&lt;b&gt;{{ 7 * 7 }}{% raw %}",
    "\x1b[31mred\x1b]0;title\x07",
    "abc\u202edef\u2066ghi\u200b",
    "line\u2028paragraph\u2029end",
    "half a pair: \ud800",
    "https://example.com/tracker.gif ::error::no | `tick` http://example.com",
    "x" * 1_000_000,
)
_WORDS_OF_OURS = frozenset({"outcome", "failure_type", "confidence", "verdict", "severity"})


def trace(runs: int = 6, *, is_timed: bool = True) -> Trace:
    """Return a trace of one root and calls of a model and a tool below it; run 3 makes a promise, run 4 failed."""
    return Trace(id="t1", name="desk", runs=tuple(_run(number, runs, is_timed) for number in range(1, runs + 1)))


def _run(number: int, runs: int, is_timed: bool) -> Run:  # noqa: FBT001  (a shape of the trace)
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    length = runs if number == 1 else 0.9
    times = {
        "started_at": begin + timedelta(seconds=number - 1),
        "ended_at": begin + timedelta(seconds=number - 1 + length),
    }
    kind = "chain" if number == 1 else "tool" if number % 3 == 1 else "llm"
    answer = {"role": "assistant", "content": PROMISE if number == 3 else f"Answer {number}."}
    asked = [{"role": "system", "content": "You help."}, {"role": "user", "content": "Leave the sweeps out."}]
    return Run.model_validate(
        {
            "id": f"r-{number}",
            "name": "desk" if number == 1 else f"{kind} {number}",
            "kind": kind,
            "parent_id": None if number == 1 else "r-1",
            "inputs": {"messages": asked} if kind == "llm" else {"id": number},
            "outputs": {"messages": [answer]} if kind == "llm" else f"Result {number}.",
            "error": "Time is up." if number == 4 else None,
            **(times if is_timed else {}),
        }
    )


def picture(of: Trace | None = None) -> str:
    """Return a picture as reports carry it."""
    return pictures.draw(of or trace(), quotes=[PROMISE]).model_dump_json(exclude_defaults=True)


def diagnosis(**other: Any) -> Diagnosis:  # noqa: ANN401  (any field)
    """Return a diagnosis that has something in every field."""
    fields = {
        "failure_type": FailureType.PROMPT_ISSUE,
        "cause": "The agent promises what it cannot keep.",
        "root_cause": "Nothing tells the agent that it has no memory, so it promised.",
        "responsible_run_id": "r-3",
        "responsible_run_name": "llm 3",
        "responsible_run_number": 3,
        "responsible_run_kind": "llm",
        "responsible_run_path": ("desk",),
        "confidence": Confidence.HIGH,
        "evidence": (Evidence(run_id="r-3", run_number=3, quote=PROMISE, why="A promise.", verified=True),),
        "gaps": (Gap(expected="It says that it has no memory.", actual="It promised.", run_id="r-3"),),
        "missing_context": ("That it has no memory.",),
        "wrong_assumptions": ("That it can remember.",),
        "affected_components": ("system prompt",),
        "suggested_fix": SuggestedFix(
            component="system prompt", file="prompts/system.md", before="You help.", after="You help.\nYou forget."
        ),
        "executive_summary": "Clients rely on a promise that is not kept.",
        "findings": (Finding(run_id="r-3", run_number=3, what="It promised.", failure_type=FailureType.PROMPT_ISSUE),),
        "coverage": Coverage(runs_total=6, runs_read=5, percentage=83.3, missing_run_ids=("r-6",)),
        "analyst": "openai",
        "model": "a-model",
        "stages": (StageReport(name="diagnosis", calls=2, input_tokens=1200, output_tokens=34, seconds=75.0),),
        "stale_prompts": (StalePrompt(file="prompts/old.md", run_id="r-2", run_number=2, only_in_trace=("Then.",)),),
        "notes": ("A note.",),
        "partial": "group g02: busy",
    }
    return Diagnosis.model_validate(fields | other)


def item(name: str = "admits", outcome: Outcome = Outcome.FAILED, **other: Any) -> ItemRecord:  # noqa: ANN401  (any field)
    """Return a record; a failed one has something in every field."""
    expectation = {
        "id": name,
        "expect": f"The agent {name} it.",
        "business_context": "Clients believed it.",
        "file": "memory.refinery.yaml",
        "line": 4,
        "tags": ("memory",),
    }
    fields: dict[str, Any] = {
        "nodeid": f"memory.refinery.yaml::{name}",
        "outcome": outcome,
        "expectation": ExpectationRecord.model_validate(expectation | other.pop("expectation", {})),
        "trace": TraceRecord(
            id="t1", name="desk", source="traces/desk.json", format="langsmith", runs=6, notes=("So.",)
        ),
    }
    if outcome == Outcome.FAILED:
        fields |= {
            "checks": (
                CheckRecord(
                    name="output.not_contains",
                    passed=False,
                    expected="no promise",
                    actual="one",
                    run_id="r-3",
                    run_name="llm 3",
                ),
                CheckRecord(name="errors", passed=True, expected="none", actual="none"),
            ),
            "judge": _judged(),
            "agent": AgentRecord(
                target="desk:answer",
                wanted=2,
                shown=2,
                trials=(
                    TrialRecord(number=1, outcome=Outcome.PASSED),
                    TrialRecord(number=2, outcome=Outcome.FAILED, error="It stopped."),
                ),
            ),
            "diagnosis": diagnosis(),
            "error": "A hook failed.",
        }
    return ItemRecord.model_validate(fields | other)


def _judged() -> JudgeRecord:
    return JudgeRecord(
        model="a-model",
        verdict=JudgeVerdict.NOT_MET,
        not_met=1,
        reasons=("It promised.",),
        quotes=(Evidence(run_id="r-3", run_number=3, quote=PROMISE, verified=True),),
        cost=StageReport(name="judge", calls=1, input_tokens=100, output_tokens=5),
    )


def report(*items: ItemRecord) -> Report:
    """Return the report about ``items``, by default one failed, one passed, one undecided."""
    usual = (
        item(),
        item("keeps", Outcome.PASSED, expectation={"line": 9, "tags": ("wording",)}),
        item("reads", Outcome.UNDECIDED, error="The trace is gone.", trace=None, expectation={"line": 12}),
    )
    return compile_report(items or usual, plugin_version="1.2.3")


def spoiled(found: Report, text: str) -> Report:
    """Return a report with ``text`` in every field that comes from a trace, a model or a file."""
    return Report.model_validate(_spoiled(found.model_dump(mode="json"), text))


def _spoiled(value: Any, text: str, key: str = "") -> Any:  # noqa: ANN401  (JSON)
    if isinstance(value, dict):
        return {name: _spoiled(each, text, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_spoiled(each, text, key) for each in value]
    return f"{value}{text}" if isinstance(value, str) and key not in _WORDS_OF_OURS else value


def spoiled_trace(text: str) -> Trace:
    """Return a trace with ``text`` in every field."""
    asked = {"role": "user", "content": text}
    call = {"name": text, "args": {text: text}, "id": text}
    said = {"role": text, "name": text, "content": text, "tool_calls": [call], "reasoning_content": text}
    fields = {"id": text, "name": text, "kind": text, "inputs": {"messages": [asked], text: text}, "error": text}
    run = Run.model_validate({**fields, "outputs": {"messages": [said]}})
    return Trace(id=text, name=text, runs=(run, run.model_copy(update={"id": "r-3", "kind": "llm"})), source=text)
