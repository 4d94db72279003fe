"""The report as Markdown, for pull requests and CI pages; every text from outside is escaped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from pytest_refinery.analysis.records import Outcome
from pytest_refinery.analysis.session_report import failures_first
from pytest_refinery.reports import comparing, labels, verification
from pytest_refinery.reports.escape import line, markdown, name, printable, shortened
from pytest_refinery.reports.text import (
    agent,
    analyst,
    by,
    by_rules,
    candidate,
    cause_kind,
    changes,
    compared,
    counted,
    has_changes,
    judged,
    kind,
    last_line,
    stale,
    stale_changes,
    step,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_refinery.analysis.records import ItemRecord, JudgeRecord, Report, RootCause
    from pytest_refinery.analysis.schemas import Diagnosis, SuggestedFix

_QUOTE_CHARACTERS = 500
_LINE_CHARACTERS = 1_000
_NAMES_OF_FILES = 2
_IN_AN_ADDRESS = ":/?#[]@!$&'()*+,;=%-._~"
_LONGEST_CODE = 300
_CUT = """
**Cut off here: the whole is too long for this place.** `--refinery-report DIR` writes all of it to a folder.
"""


def render(report: Report, *, most_bytes: int | None = None) -> str:
    """Return the whole report: summary, causes, a table of the items, each failure in full.

    With ``most_bytes`` it ends before the cause, row or item with which it would be longer as UTF-8, and says so.
    """
    items = failures_first(report.expectations)
    failures = [item for item in items if item.outcome != Outcome.PASSED]
    blocks = [*_head(report), *_causes(report), *_table(items), *("\n".join(_item(item)) for item in failures)]
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
        yield f"{markdown(compared(report.comparison))}\n"
        if report.comparison.gate is not None:
            yield f"**Gate** {markdown(comparing.gate(report.comparison.gate))}\n"
    if report.session.summary and report.session.summary.problem:
        yield f"{markdown(by_rules(report.session.summary))}\n"


def _causes(report: Report) -> Iterator[str]:
    if report.root_causes:
        yield "## Root causes\n"
        yield from (_cause(cause) for cause in report.root_causes)
        yield ""
    if report.comparison and report.comparison.gone:
        yield "## Fixed\n"
        yield from (f"- {markdown(cause.cause)} ({_kind(cause)})" for cause in report.comparison.gone)
        yield ""


def _cause(cause: RootCause) -> str:
    lines = [f"- **{counted(len(cause.nodeids))}** ({_kind(cause)}): {markdown(cause.cause)}"]
    if cause.advice:
        lines.append(f"  - **To do:** {markdown(cause.advice)}")
    return "\n".join([*lines, *(f"  - {_code(nodeid)}" for nodeid in cause.nodeids)])


def _kind(cause: RootCause) -> str:
    return markdown(cause_kind(cause))


def _table(items: Iterable[ItemRecord]) -> Iterator[str]:
    yield "| expectation | outcome | severity | step |\n|---|---|---|---|"
    for item in items:
        run = item.diagnosis.responsible_run_name if item.diagnosis else None
        known = " (known)" if item.is_known else ""
        severity = item.expectation.severity.value
        yield f"| {_code(item.nodeid)} | {item.outcome.value}{known} | {severity} | {markdown(name(run or ''))} |"
    yield ""


def _item(item: ItemRecord) -> Iterator[str]:
    yield f"## {markdown(item.nodeid)}"
    yield ""
    yield from _labelled(labels.EXPECTED, item.expectation.expect)
    yield from _labelled(labels.WHY, item.expectation.business_context)
    yield from _labelled(labels.SEVERITY, item.expectation.severity.value)
    yield from _labelled(labels.AGENT, agent(item.agent) if item.agent else "")
    if item.trace:
        yield from _labelled(labels.ASKED, shortened(item.trace.asked, most=_QUOTE_CHARACTERS))
        yield from _labelled(labels.ANSWERED, shortened(item.trace.answered, most=_QUOTE_CHARACTERS))
    yield from _labelled(labels.DIFFERENCE, comparing.parted(item.divergence) if item.divergence else "")
    failed = [check for check in item.checks if not check.passed]
    for check in failed:
        actual = f"{labels.ACTUAL}: {markdown(check.actual)}"
        yield f"- **{labels.FAILED}:** {_code(check.name)}: expected {markdown(check.expected)}. {actual}"
    if failed:
        yield ""
    if item.judge:
        yield from _labelled(labels.FAILED if item.outcome == Outcome.FAILED else "Judged", _judge(item.judge))
        yield from (f"> {markdown(shortened(quote.quote, most=_QUOTE_CHARACTERS))}" for quote in item.judge.quotes)
        yield ""
    if item.error:
        yield f"**{item.outcome.value.capitalize()}:** {markdown(item.error)}"
        yield ""
    if item.diagnosis:
        yield from _diagnosis(item.diagnosis, shown={check.actual for check in failed})
    if item.trace and item.trace.url:
        yield f"**{labels.TRACE}:** <{quote(item.trace.url, safe=_IN_AN_ADDRESS)}>"
        yield ""


def _judge(found: JudgeRecord) -> str:
    return f"{judged(found)}. {' '.join(found.reasons)}"


def _labelled(label: str, text: str) -> Iterator[str]:
    if text:
        yield f"**{label}:** {markdown(text)}"
        yield ""


def _diagnosis(found: Diagnosis, *, shown: set[str]) -> Iterator[str]:
    yield from _root_cause(found)
    yield ""
    if found.is_determined:
        yield from _labelled(labels.STEP, step(found))
        yield from (f"**{labels.CALL}:** {_code(found.call)}", "") if found.call else ()
        yield from _labelled(labels.RESULT, shortened(last_line(found.result), most=_QUOTE_CHARACTERS))
    for quoted in found.evidence:
        yield f"> {markdown(shortened(quoted.quote, most=_QUOTE_CHARACTERS))}"
        yield ">"
        why = "" if quoted.why in (found.root_cause or "") else f"{markdown(quoted.why)} "
        yield f"> {why}(step {quoted.run_number})"
        yield ""
    gaps = list(_gaps(found, shown))
    yield from (*gaps, "") if gaps else ()
    for prompt in found.stale_prompts:
        yield from _changed(f"**{labels.CHANGED}:** {markdown(stale(prompt))}", stale_changes(prompt))
    if found.suggested_fix:
        yield from _fix(found.suggested_fix, verification.sentence(found.verification))
    if found.also_noticed:
        yield f"**{labels.NOTICED}:**\n"
        yield from (f"- {markdown(each.what)} (step {each.run_number})" for each in found.also_noticed)
        yield ""
    yield from _labelled(labels.SUMMARY, found.executive_summary)
    yield _cost(found)
    yield ""


def _root_cause(found: Diagnosis) -> Iterator[str]:
    if found.root_cause is None:
        yield f"**{labels.ROOT_CAUSE}:** not determined, {markdown(by(found))}."
    else:
        yield f"**{labels.ROOT_CAUSE}** ({markdown(kind(found))}): {markdown(found.root_cause)}"
        yield from ("", markdown(found.confidence_basis)) if found.confidence_basis else ()
    if found.candidates and (len(found.candidates) > 1 or not found.is_determined):
        yield f"\n**{labels.CANDIDATES}:**\n"
        yield from (f"- {markdown(candidate(each))}" for each in found.candidates)


def _gaps(found: Diagnosis, shown: set[str]) -> Iterator[str]:
    """Yield what separates the expected from what was there, as far as no check has ``shown`` it."""
    for gap in found.gaps:
        if gap.actual not in shown:
            yield f"- **{labels.EXPECTED}:** {markdown(gap.expected)} **{labels.ACTUAL}:** {markdown(gap.actual)}"
    for label, entries in (
        (labels.MISSING, found.missing_context),
        (labels.ASSUMPTION, found.wrong_assumptions),
        (labels.AFFECTED, found.affected_components),
    ):
        yield from (f"- **{label}:** {markdown(entry)}" for entry in entries)


def _fix(fix: SuggestedFix, verified: str) -> Iterator[str]:
    place = f" ({_code(fix.file)})" if fix.file else ""
    yield from _changed(
        f"**{labels.FIX}:** {markdown(fix.component)}{place}, {markdown(verified)}: {markdown(fix.why)}",
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
    covered = f"{found.coverage.runs_read} of {found.coverage.runs_total} steps read"
    spent = "cached, nothing spent" if found.cached else f"{tokens:,} tokens"
    notes = "".join(f" {markdown(note)}" for note in found.notes)
    partial = f" Incomplete: {markdown(found.partial)}." if found.partial else ""
    return f"<sub>{markdown(analyst(found))}: {covered}, {spent}.{notes}{partial}</sub>"


def _code(text: str) -> str:
    """Return ``text`` as inline code where it stays inside, else as text."""
    harmless = shortened(line(text), most=_LONGEST_CODE)
    return f"`{harmless}`" if harmless and not set(harmless) & set("`|") else markdown(harmless)
