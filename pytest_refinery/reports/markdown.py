"""The report as Markdown, for pull requests and CI pages; every text from outside is escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.records import Outcome
from pytest_refinery.reports.escape import line, markdown, printable, shortened
from pytest_refinery.reports.text import analyst, changes, stale, stale_changes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_refinery.analysis.records import ItemRecord, Report
    from pytest_refinery.analysis.schemas import Diagnosis, SuggestedFix

_QUOTE_CHARACTERS = 500


def render(report: Report) -> str:
    """Return the whole report: summary, causes, a table of the items, each failure in full."""
    parts = [
        "# pytest-refinery",
        "",
        markdown(report.executive_summary),
        "",
        *_causes(report),
        *_table(report),
        *(text for item in report.expectations if item.outcome != Outcome.PASSED for text in _item(item)),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _causes(report: Report) -> Iterator[str]:
    if not report.root_causes:
        return
    yield "## Causes"
    yield ""
    for cause in report.root_causes:
        kind = markdown(cause.failure_type.replace("_", " "))
        yield f"- **{len(cause.nodeids)} of {report.session.failed}** ({kind}): {markdown(cause.cause)}"
        yield from (f"  - {_code(nodeid)}" for nodeid in cause.nodeids)
    yield ""


def _table(report: Report) -> Iterator[str]:
    yield "| expectation | outcome | responsible run |"
    yield "|---|---|---|"
    for item in report.expectations:
        run = item.diagnosis.responsible_run_name if item.diagnosis else None
        yield f"| {_code(item.nodeid)} | {item.outcome.value} | {markdown(run or '')} |"
    yield ""


def _item(item: ItemRecord) -> Iterator[str]:
    yield f"## {markdown(item.nodeid)}"
    yield ""
    yield f"**Expected:** {markdown(item.expectation.expect)}"
    yield ""
    if item.expectation.business_context:
        yield f"**Because:** {markdown(item.expectation.business_context)}"
        yield ""
    for check in item.checks:
        if not check.passed:
            yield f"- {_code(check.name)}: expected {markdown(check.expected)}; was {markdown(check.actual)}"
    yield ""
    if item.judge:
        reasons = markdown(" ".join(item.judge.reasons))
        yield f"**Judged** by {markdown(item.judge.model)}: {item.judge.verdict}. {reasons}"
        yield ""
        yield from (f"> {markdown(shortened(quote.quote, most=_QUOTE_CHARACTERS))}" for quote in item.judge.quotes)
        yield ""
    if item.error:
        yield f"**{item.outcome.value.capitalize()}:** {markdown(item.error)}"
        yield ""
    if item.diagnosis:
        yield from _diagnosis(item.diagnosis)


def _diagnosis(found: Diagnosis) -> Iterator[str]:
    kind = found.failure_type.value.replace("_", " ")
    yield f"**Root cause** ({kind}, confidence {found.confidence.value}): {markdown(found.root_cause)}"
    yield ""
    if found.responsible_run_id is not None:
        place = f"{found.responsible_run_number} of {found.coverage.runs_total}"
        named = f"{markdown(found.responsible_run_name or '')} ({_code(found.responsible_run_id)})"
        yield f"**Responsible run** {place}: {named}"
        yield ""
    for quote in found.evidence:
        yield f"> {markdown(shortened(quote.quote, most=_QUOTE_CHARACTERS))}"
        yield ">"
        yield f"> {markdown(quote.why)} (run {_code(quote.run_id)})"
        yield ""
    for gap in found.gaps:
        yield f"- expected {markdown(gap.expected)}; got {markdown(gap.actual)}"
    yield from (f"- lacked: {markdown(entry)}" for entry in found.missing_context)
    yield from (f"- assumed: {markdown(entry)}" for entry in found.wrong_assumptions)
    yield ""
    for prompt in found.stale_prompts:
        yield from _changed(f"**Stale prompt:** {markdown(stale(prompt))}", stale_changes(prompt))
    if found.suggested_fix:
        yield from _fix(found.suggested_fix)
    if found.executive_summary:
        yield f"**In short:** {markdown(found.executive_summary)}"
        yield ""
    yield _cost(found)
    yield ""


def _fix(fix: SuggestedFix) -> Iterator[str]:
    place = f" ({_code(fix.file)})" if fix.file else ""
    yield from _changed(f"**Suggested fix** for {markdown(fix.component)}{place}: {markdown(fix.why)}", changes(fix))


def _changed(title: str, signed: Iterable[str]) -> Iterator[str]:
    yield title
    yield ""
    # Indented code: no fence that the text could close.
    yield from (f"    {printable(change)}" for change in signed)
    yield ""


def _cost(found: Diagnosis) -> str:
    tokens = sum(stage.input_tokens + stage.output_tokens for stage in found.stages)
    covered = f"{found.coverage.runs_read} of {found.coverage.runs_total} runs read"
    spent = "cached, nothing spent" if found.cached else f"{tokens:,} tokens"
    notes = "".join(f" {markdown(note)}" for note in found.notes)
    partial = f" Not complete: {markdown(found.partial)}." if found.partial else ""
    return f"<sub>{markdown(analyst(found))}: {covered}, {spent}.{notes}{partial}</sub>"


def _code(text: str) -> str:
    """Return ``text`` as inline code; backticks and pipes in it cannot end it."""
    harmless = line(text).replace("`", "'").replace("|", "\\|")
    return f"`{harmless}`"
