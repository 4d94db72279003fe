"""The report as Markdown, for pull requests and CI pages; every text from outside is escaped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_refinery.analysis.records import Outcome
from pytest_refinery.reports import verification
from pytest_refinery.reports.escape import line, markdown, name, printable, shortened
from pytest_refinery.reports.text import (
    agent,
    analyst,
    by_rules,
    candidate,
    changes,
    compared,
    has_changes,
    path,
    stale,
    stale_changes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_refinery.analysis.records import ItemRecord, Report, RootCause
    from pytest_refinery.analysis.schemas import Diagnosis, SuggestedFix

_QUOTE_CHARACTERS = 500
_LINE_CHARACTERS = 1_000
_NAMES_OF_FILES = 2
_LONGEST_CODE = 300
_CUT = """
**Cut off here: the whole is too long for this place.** `--refinery-report DIR` writes all of it to a folder.
"""


def render(report: Report, *, most_bytes: int | None = None) -> str:
    """Return the whole report: summary, causes, a table of the items, each failure in full.

    With ``most_bytes`` it ends before the cause, row or item with which it would be longer as UTF-8, and says so.
    """
    failures = [item for item in report.expectations if item.outcome != Outcome.PASSED]
    blocks = [*_head(report), *_causes(report), *_table(report), *("\n".join(_item(item)) for item in failures)]
    text = "\n".join(blocks)
    if most_bytes is not None and len(text.encode("utf-8", "replace")) > most_bytes:
        text = _cut(blocks, most_bytes)
    return text.rstrip() + "\n"


def _cut(blocks: Sequence[str], most_bytes: int) -> str:
    """Return as many blocks as fit, and the note that there are more."""
    room = most_bytes - len(_CUT.encode())
    fitting: list[str] = []
    for block in blocks:
        room -= len(block.encode("utf-8", "replace")) + 1
        if room < 0:
            break
        fitting.append(block)
    return "\n".join([*fitting, _CUT])


def _head(report: Report) -> Iterator[str]:
    yield "# pytest-refinery\n"
    yield f"{markdown(report.executive_summary)}\n"
    if has_changes(report.comparison):
        yield f"Compared {markdown(compared(report.comparison))}\n"
    if report.session.summary and report.session.summary.problem:
        yield f"{markdown(by_rules(report.session.summary))}\n"


def _causes(report: Report) -> Iterator[str]:
    if report.root_causes:
        yield "## Causes\n"
        yield from (_cause(cause, of=report.session.failed) for cause in report.root_causes)
        yield ""
    if report.comparison and report.comparison.gone:
        yield "## Gone\n"
        yield from (f"- ({_kind(cause)}) {markdown(cause.cause)}" for cause in report.comparison.gone)
        yield ""


def _cause(cause: RootCause, *, of: int) -> str:
    since = {None: "", True: ", known", False: ", new"}[cause.is_known]
    lines = [f"- **{len(cause.nodeids)} of {of}** ({_kind(cause)}{since}): {markdown(cause.cause)}"]
    if cause.advice:
        lines.append(f"  - **To do:** {markdown(cause.advice)}")
    return "\n".join([*lines, *(f"  - {_code(nodeid)}" for nodeid in cause.nodeids)])


def _kind(cause: RootCause) -> str:
    return markdown(cause.failure_type.replace("_", " "))


def _table(report: Report) -> Iterator[str]:
    yield "| expectation | outcome | responsible run |\n|---|---|---|"
    for item in report.expectations:
        run = item.diagnosis.responsible_run_name if item.diagnosis else None
        known = " (known)" if item.is_known else ""
        yield f"| {_code(item.nodeid)} | {item.outcome.value}{known} | {markdown(name(run or ''))} |"
    yield ""


def _item(item: ItemRecord) -> Iterator[str]:
    yield f"## {markdown(item.nodeid)}"
    yield ""
    yield f"**Expected:** {markdown(item.expectation.expect)}"
    yield ""
    if item.expectation.business_context:
        yield f"**Because:** {markdown(item.expectation.business_context)}"
        yield ""
    if item.agent:
        yield f"**Agent:** {markdown(agent(item.agent))}"
        yield ""
    failed = [check for check in item.checks if not check.passed]
    for check in failed:
        yield f"- {_code(check.name)}: expected {markdown(check.expected)}; was {markdown(check.actual)}"
    if failed:
        yield ""
    if item.judge:
        reasons = markdown(" ".join(item.judge.reasons))
        cached = " (cached)" if item.judge.cached else ""
        yield f"**Judged** by {markdown(item.judge.model)}: {item.judge.verdict}{cached}. {reasons}"
        yield ""
        yield from (f"> {markdown(shortened(quote.quote, most=_QUOTE_CHARACTERS))}" for quote in item.judge.quotes)
        yield ""
    if item.error:
        yield f"**{item.outcome.value.capitalize()}:** {markdown(item.error)}"
        yield ""
    if item.diagnosis:
        yield from _diagnosis(item.diagnosis, shown={check.actual for check in failed})


def _diagnosis(found: Diagnosis, *, shown: set[str]) -> Iterator[str]:
    yield from _root_cause(found)
    yield ""
    if found.responsible_run_id is not None:
        place = f"{found.responsible_run_number} of {found.coverage.runs_total}"
        named = f"{markdown(name(found.responsible_run_name or ''))} ({_code(found.responsible_run_id)})"
        yield f"**Responsible run** {place}: {named} {markdown(path(found))}".rstrip()
        yield ""
    for quote in found.evidence:
        yield f"> {markdown(shortened(quote.quote, most=_QUOTE_CHARACTERS))}"
        yield ">"
        why = "" if quote.why in (found.root_cause or "") else f"{markdown(quote.why)} "
        yield f"> {why}(run {_code(quote.run_id)})"
        yield ""
    gaps = list(_gaps(found, shown))
    yield from (*gaps, "") if gaps else ()
    for prompt in found.stale_prompts:
        yield from _changed(f"**Stale prompt:** {markdown(stale(prompt))}", stale_changes(prompt))
    if found.suggested_fix:
        yield from _fix(found.suggested_fix, verification.sentence(found.verification))
    if found.also_noticed:
        yield "**Also noticed:**\n"
        yield from (f"- {markdown(each.what)} (run {each.run_number})" for each in found.also_noticed)
        yield ""
    if found.executive_summary:
        yield f"**In short:** {markdown(found.executive_summary)}"
        yield ""
    yield _cost(found)
    yield ""


def _root_cause(found: Diagnosis) -> Iterator[str]:
    if found.root_cause is None:
        best = " Best candidates:\n" if found.candidates else ""
        yield f"**Root cause:** not determined.{best}"
        yield from (f"{place}. {markdown(candidate(each))}" for place, each in enumerate(found.candidates, start=1))
    else:
        kind = found.kind.replace("_", " ")
        yield f"**Root cause** ({kind}, confidence {found.confidence.value}): {markdown(found.root_cause)}"
        yield from ("", markdown(found.confidence_basis)) if found.confidence_basis else ()


def _gaps(found: Diagnosis, shown: set[str]) -> Iterator[str]:
    """Yield what separates the expected from what was there, as far as no check has ``shown`` it."""
    for gap in found.gaps:
        if gap.actual not in shown:
            yield f"- expected {markdown(gap.expected)}; got {markdown(gap.actual)}"
    yield from (f"- lacked: {markdown(entry)}" for entry in found.missing_context)
    yield from (f"- assumed: {markdown(entry)}" for entry in found.wrong_assumptions)


def _fix(fix: SuggestedFix, verified: str) -> Iterator[str]:
    place = f" ({_code(fix.file)})" if fix.file else ""
    yield from _changed(
        f"**Suggested fix** for {markdown(fix.component)}{place}, {markdown(verified)}: {markdown(fix.why)}",
        fix.diff.splitlines()[_NAMES_OF_FILES:] or changes(fix),
    )


def _changed(title: str, signed: Iterable[str]) -> Iterator[str]:
    lines = [shortened(printable(change), most=_LINE_CHARACTERS) for change in signed]
    # Longer than any fence that the text could close it with.
    longest = max((len(ticks) for text in lines for ticks in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield title
    yield ""
    yield from (f"{fence}diff", *lines, fence)
    yield ""


def _cost(found: Diagnosis) -> str:
    tokens = sum(stage.input_tokens + stage.output_tokens for stage in found.stages)
    covered = f"{found.coverage.runs_read} of {found.coverage.runs_total} runs read"
    spent = "cached, nothing spent" if found.cached else f"{tokens:,} tokens"
    notes = "".join(f" {markdown(note)}" for note in found.notes)
    partial = f" Not complete: {markdown(found.partial)}." if found.partial else ""
    return f"<sub>{markdown(analyst(found))}: {covered}, {spent}.{notes}{partial}</sub>"


def _code(text: str) -> str:
    """Return ``text`` as inline code where it stays inside, else as text."""
    harmless = shortened(line(text), most=_LONGEST_CODE)
    return f"`{harmless}`" if harmless and not set(harmless) & set("`|") else markdown(harmless)
