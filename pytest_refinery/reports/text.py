"""Items and sessions as plain text for a terminal, 80 columns or what it has."""

from __future__ import annotations

import difflib
import textwrap
from typing import TYPE_CHECKING

from pytest_refinery.reports.escape import line, printable, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_refinery.analysis.records import CheckRecord, ItemRecord, Report
    from pytest_refinery.analysis.schemas import Diagnosis, Evidence, SuggestedFix

_QUOTES = 3
_QUOTE_CHARACTERS = 300
_LABEL = 11


def verdict(item: ItemRecord, *, width: int = 80) -> str:
    """Return what was expected and what was there."""
    wanted = [
        *_field("expected", item.expectation.expect, width),
        *_field("because", item.expectation.business_context, width),
    ]
    failed = [check for check in item.checks if not check.passed]
    return "\n".join([*wanted, *(text for check in failed for text in ("", *_check(check, width)))])


def _check(check: CheckRecord, width: int) -> Iterator[str]:
    yield from _wrapped(f"{check.name}{_where(check)}", width, first="")
    yield from _field("  expected", check.expected, width)
    yield from _field("  was", check.actual, width)


def _where(check: CheckRecord) -> str:
    return f" in run {line(check.run_name)} ({line(check.run_id or '')})" if check.run_name else ""


def diagnosis(found: Diagnosis, *, checks: Iterable[CheckRecord] = (), width: int = 80, is_whole: bool = False) -> str:
    """Return the diagnosis top-down: cause, run, evidence, gaps, fix, summary, cost.

    Gaps that ``checks`` have shown already are not repeated. ``is_whole`` shows all quotes and
    findings at full length.
    """
    most = None if is_whole else _QUOTES
    shown = {check.actual for check in checks}
    blocks = [
        _cause(found, width),
        _responsible(found, width),
        [text for quote in found.evidence[:most] for text in _quote(found, quote, width, is_whole=is_whole)],
        _gaps(found, shown, width),
        _fix(found.suggested_fix, width),
        _field("in short", found.executive_summary, width),
        _findings(found, width) if is_whole else [],
        _cost(found, width),
    ]
    return "\n".join("\n".join(block) for block in blocks if block)


def _cause(found: Diagnosis, width: int) -> list[str]:
    kind = f"{found.failure_type.value.replace('_', ' ')}, confidence {found.confidence.value}"
    return _field("root cause", f"{found.root_cause} ({kind})", width)


def _responsible(found: Diagnosis, width: int) -> list[str]:
    if found.responsible_run_id is None:
        return _field("run", "no single run could be named", width)
    place = f"{found.responsible_run_number} of {found.coverage.runs_total}"
    return _field("run", f"{place}: {found.responsible_run_name} ({found.responsible_run_id})", width)


def _quote(found: Diagnosis, quote: Evidence, width: int, *, is_whole: bool) -> list[str]:
    text = quote.quote if is_whole else shortened(" ".join(quote.quote.split()), most=_QUOTE_CHARACTERS)
    is_elsewhere = quote.run_id != found.responsible_run_id
    is_said = quote.why in found.root_cause
    why = f"{'' if is_said else quote.why}{f' (run {quote.run_number})' if is_elsewhere else ''}".strip()
    return [*_field("evidence", f'"{text}"', width), *(_field("", why, width) if why else ())]


def _gaps(found: Diagnosis, shown: set[str], width: int) -> list[str]:
    gaps = [f"expected: {gap.expected} Was: {line(gap.actual)}" for gap in found.gaps if gap.actual not in shown]
    return [
        text
        for label, entries in (("gap", gaps), ("lacked", found.missing_context), ("assumed", found.wrong_assumptions))
        for entry in entries
        for text in _field(label, entry, width)
    ]


def _fix(fix: SuggestedFix | None, width: int) -> list[str]:
    if fix is None:
        return []
    place = f"{fix.component} ({fix.file})" if fix.file and fix.file != fix.component else fix.component
    return [
        *_field("fix", f"{place}: {fix.why}" if fix.why else place, width),
        *(text for change in changes(fix) for text in _wrapped(change[1:], width, first=f"{' ' * _LABEL}{change[0]} ")),
    ]


def changes(fix: SuggestedFix) -> Iterator[str]:
    """Yield the lines that the fix takes away and adds, each behind ``-`` or ``+``."""
    lines = difflib.ndiff(fix.before.splitlines(), fix.after.splitlines())
    return (f"{text[0]}{text[2:]}" for text in lines if text[0] in "+-")


def _findings(found: Diagnosis, width: int) -> list[str]:
    return [
        text
        for finding in found.findings
        for text in _field("finding", f"{finding.what} (run {finding.run_number})", width)
    ]


def _cost(found: Diagnosis, width: int) -> list[str]:
    tokens = sum(stage.input_tokens + stage.output_tokens for stage in found.stages)
    seconds = sum(stage.seconds for stage in found.stages)
    waited = sum(stage.seconds_waited for stage in found.stages)
    covered = f"{found.coverage.runs_read} of {found.coverage.runs_total} runs read ({found.coverage.percentage:g} %)"
    cost = f"{found.analyst}: {covered}, {tokens:,} tokens, {seconds:.1f} s{_waited(waited)}"
    return [
        *_field("analyst", cost, width),
        *(_field("partial", found.partial, width) if found.partial else ()),
    ]


def _waited(seconds: float) -> str:
    return f", of which {seconds:.1f} s waiting for the limit" if seconds else ""


def _field(label: str, text: str, width: int) -> list[str]:
    return _wrapped(text, width, first=f"{label:<{_LABEL}}") if text else []


def _wrapped(text: str, width: int, *, first: str) -> list[str]:
    """Wrap each paragraph of ``text``; lines after the first are indented like its text."""
    indent = " " * len(first)
    found: list[str] = []
    for paragraph in printable(text).splitlines() or [""]:
        found += textwrap.wrap(
            paragraph,
            max(width, len(first) + 20),
            initial_indent=indent if found else first,
            subsequent_indent=indent,
            break_on_hyphens=False,
        ) or [first.rstrip() if not found else ""]
    return found


def summary(report: Report, *, files: Sequence[str] = (), width: int = 80) -> list[str]:
    """Return the lines of the session's summary."""
    session = report.session
    lines = _wrapped(report.executive_summary.partition(" Most frequent cause")[0], width, first="")
    for cause in report.root_causes:
        count = f"{len(cause.nodeids)} of {session.failed}"
        lines += _wrapped(f"{cause.cause} ({cause.failure_type.replace('_', ' ')})", width, first=f"{count:<{_LABEL}}")
        lines += [f"{'':<{_LABEL}}{line(nodeid)}" for nodeid in cause.nodeids]
    if session.analysts:
        waited = f", {session.seconds_waited:.1f} s waiting for the limit" if session.seconds_waited else ""
        spent = f"{session.tokens:,} tokens{waited}"
        lines.append(f"{'diagnosed':<{_LABEL}}by {', '.join(session.analysts)}: {spent}")
    lines += [f"{'written':<{_LABEL}}{file}" for file in files]
    return lines


def problems(items: Iterable[ItemRecord], *, width: int = 80) -> list[str]:
    """Return why items have no verdict or no diagnosis, one paragraph each."""
    return [text for item in items if item.error for text in _wrapped(f"{item.nodeid}: {item.error}", width, first="")]
