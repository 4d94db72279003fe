"""Items and sessions as plain text for a terminal, 80 columns or what it has."""

from __future__ import annotations

import difflib
import textwrap
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, TypeGuard

from pytest_refinery.analysis.session_report import outcomes
from pytest_refinery.reports import verification
from pytest_refinery.reports.escape import inert, line, name, printable, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_refinery.analysis.records import (
        AgentRecord,
        CheckRecord,
        Comparison,
        ItemRecord,
        JudgeRecord,
        Report,
        RootCause,
        SessionPlan,
        SessionRecord,
        SummaryRecord,
    )
    from pytest_refinery.analysis.schemas import Candidate, Diagnosis, Evidence, StageReport, StalePrompt, SuggestedFix

_QUOTES = 3
_QUOTE_CHARACTERS = 300
_CHANGES = 5
_PATH = 6
_CAUSES = 10
_NODEIDS = 5
_LABEL = 11
_WORTH_SAYING = 0.05


def verdict(item: ItemRecord, *, width: int = 80) -> str:
    """Return what was expected and what was there."""
    wanted = [
        *_field("expected", item.expectation.expect, width),
        *_field("because", item.expectation.business_context, width),
        *_field("agent", agent(item.agent) if item.agent else "", width),
    ]
    failed = [check for check in item.checks if not check.passed]
    judged = ["", *_judge(item.judge, width)] if item.judge else []
    return "\n".join([*wanted, *(text for check in failed for text in ("", *_check(check, width))), *judged])


def agent(found: AgentRecord) -> str:
    """Return which agent was re-run, and how its trials came out."""
    planned = len(found.trials)
    if planned == 1:
        return f"{found.target}, re-run"
    had = "all had to" if found.wanted == planned else f"{found.wanted} had to"
    return f"{found.target}, re-run: {found.met} of {planned} trials met it, {had}; this is trial {found.shown}"


def whole(item: ItemRecord, *, width: int = 80) -> str:
    """Return all that is known of an item at full length: its verdict, its diagnosis, and what went wrong with them."""
    found = diagnosis(item.diagnosis, checks=item.checks, width=width, is_whole=True) if item.diagnosis else ""
    error = sentence(item.error, width=width) if item.error else ""
    return "\n\n".join(filter(None, (verdict(item, width=width), found, error)))


def _judge(judge: JudgeRecord, width: int) -> Iterator[str]:
    trials = f", {judge.met} of {judge.trials} trials met" if judge.trials > 1 else ""
    cached = " (cached)" if judge.cached else ""
    yield f"judged by {line(judge.model)}: {judge.verdict}{trials}{cached}"
    for reason in judge.reasons:
        yield from _field("  because", reason, width)
    for quote in judge.quotes:
        yield from _field("  evidence", f'"{shortened(" ".join(quote.quote.split()), most=_QUOTE_CHARACTERS)}"', width)
    for note in judge.notes:
        yield from _field("  note", note, width)


def _check(check: CheckRecord, width: int) -> Iterator[str]:
    yield from _wrapped(f"{check.name}{_where(check)}", width, first="")
    yield from _field("  expected", check.expected, width)
    yield from _field("  was", check.actual, width)


def _where(check: CheckRecord) -> str:
    return f" in run {name(check.run_name)} ({name(check.run_id or '')})" if check.run_name else ""


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
        _stale(found.stale_prompts, width),
        _fix(found, width),
        _field("in short", found.executive_summary, width),
        _noticed(found, width) if is_whole else [],
        _cost(found, width),
    ]
    return "\n".join("\n".join(block) for block in blocks if block)


def _cause(found: Diagnosis, width: int) -> list[str]:
    if found.root_cause is None:
        return _not_determined(found, width)
    kind = f"{found.kind.replace('_', ' ')}, confidence {found.confidence.value}"
    return [*_field("root cause", f"{found.root_cause} ({kind})", width), *_field("", found.confidence_basis, width)]


def _not_determined(found: Diagnosis, width: int) -> list[str]:
    best = " Best candidates:" if found.candidates else ""
    return [
        *_field("root cause", f"not determined.{best}", width),
        *(text for each in found.candidates for text in _field("", candidate(each), width)),
    ]


def candidate(found: Candidate) -> str:
    """Return which run may be the decisive one, and why."""
    return f"step {found.run_number}, {name(found.run_name)}: {found.reason}"


def _responsible(found: Diagnosis, width: int) -> list[str]:
    if not found.is_determined:
        return []
    if found.responsible_run_id is None:
        return _field("run", "no single run could be named", width)
    place = f"{found.responsible_run_number} of {found.coverage.runs_total}"
    named = f"{name(found.responsible_run_name or '')} ({name(found.responsible_run_id)})"
    return [*_field("run", f"{place}: {named}", width), *_field("", path(found), width)]


def path(found: Diagnosis) -> str:
    """Return in which runs the responsible one was, the outermost first; empty where it was in none."""
    names = [name(each) for each in found.responsible_run_path]
    if len(names) > _PATH:
        names[2:-2] = [f"... {len(names) - 4} more ..."]
    return f"in {' > '.join(names)}" if names else ""


def _quote(found: Diagnosis, quote: Evidence, width: int, *, is_whole: bool) -> list[str]:
    text = quote.quote if is_whole else shortened(" ".join(quote.quote.split()), most=_QUOTE_CHARACTERS)
    is_elsewhere = quote.run_id != found.responsible_run_id
    is_said = quote.why in (found.root_cause or "")
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


def _stale(prompts: Iterable[StalePrompt], width: int) -> list[str]:
    return [
        text
        for prompt in prompts
        for text in (*_field("stale", stale(prompt), width), *_changes(stale_changes(prompt), width))
    ]


def stale(prompt: StalePrompt) -> str:
    """Return in a sentence which prompt file has changed since the trace was recorded."""
    return f"{prompt.file} has changed since the trace was recorded: run {prompt.run_number} has another text of it."


def stale_changes(prompt: StalePrompt) -> Iterator[str]:
    """Yield the first lines that are gone since the trace was recorded, and that are new, behind ``-`` or ``+``."""
    for sign, texts in (("-", prompt.only_in_trace), ("+", prompt.only_in_file)):
        yield from (f"{sign}{shortened(line(text), most=_QUOTE_CHARACTERS)}" for text in texts[:_CHANGES])
        if len(texts) > _CHANGES:
            yield f"{sign}... and {len(texts) - _CHANGES} more"


def _fix(found: Diagnosis, width: int) -> list[str]:
    fix = found.suggested_fix
    if fix is None:
        return []
    place = f"{fix.component} ({fix.file})" if fix.file and fix.file != fix.component else fix.component
    place = f"{place} ({verification.sentence(found.verification)})"
    return [
        *_field("fix", f"{place}: {fix.why}" if fix.why else place, width),
        *_changes(changes(fix), width),
    ]


def _changes(signed: Iterable[str], width: int) -> Iterator[str]:
    return (text for each in signed for text in _wrapped(each[1:], width, first=f"{' ' * _LABEL}{each[0]} "))


def changes(fix: SuggestedFix) -> Iterator[str]:
    """Yield the lines that the fix takes away and adds, each behind ``-`` or ``+``."""
    # Line by line: what compares characters takes minutes over long lines.
    lines = difflib.unified_diff(fix.before.splitlines(), fix.after.splitlines(), n=0, lineterm="")
    return (text for text in islice(lines, 2, None) if text[0] in "+-")


def _noticed(found: Diagnosis, width: int) -> list[str]:
    return [
        text
        for finding in found.also_noticed
        for text in _field("noticed", f"{finding.what} (run {finding.run_number})", width)
    ]


def _cost(found: Diagnosis, width: int) -> list[str]:
    return [
        *_field("analyst", f"{analyst(found)}: {covered(found)}, {_spent(found)}", width),
        *_field("stages", "" if found.cached else "; ".join(map(_stage, _asked(found))), width),
        *(text for note in found.notes for text in _field("note", note, width)),
        *_field("partial", found.partial or "", width),
    ]


def analyst(found: Diagnosis) -> str:
    """Return who made the diagnosis, and with which model."""
    return f"{found.analyst} ({line(found.model)})" if found.model else found.analyst


def covered(found: Diagnosis) -> str:
    """Return how much of the trace was read."""
    return f"{found.coverage.runs_read} of {found.coverage.runs_total} runs read ({found.coverage.percentage:g} %)"


def _spent(found: Diagnosis) -> str:
    if found.cached:
        return "cached, nothing spent"
    tokens = sum(stage.input_tokens + stage.output_tokens for stage in found.stages)
    seconds = sum(stage.seconds for stage in found.stages)
    return f"{tokens:,} tokens, {seconds:.1f} s{_waited(sum(stage.seconds_waited for stage in found.stages))}"


def _asked(found: Diagnosis) -> list[StageReport]:
    """Return the stages in which a model was asked."""
    return [stage for stage in found.stages if found.model or stage.model]


def _stage(stage: StageReport) -> str:
    asked = f" by {line(stage.model)}" if stage.model else ""
    calls = "1 call" if stage.calls == 1 else f"{stage.calls} calls"
    waited = f", waited {stage.seconds_waited:.1f} s" if stage.seconds_waited >= _WORTH_SAYING else ""
    return f"{stage.name}{asked} {calls}, {stage.input_tokens:,} tokens in, {stage.output_tokens:,} out{waited}"


def _waited(seconds: float) -> str:
    return f", of which {seconds:.1f} s waiting for the limit" if seconds >= _WORTH_SAYING else ""


def _field(label: str, text: str, width: int) -> list[str]:
    return _wrapped(text, width, first=f"{label:<{_LABEL}}") if text else []


def _wrapped(text: str, width: int, *, first: str, indent: str | None = None) -> list[str]:
    """Wrap each paragraph of ``text``; lines after the first are indented like its text, or by ``indent``."""
    indent = " " * len(first) if indent is None else indent
    found: list[str] = []
    for paragraph in printable(text).splitlines() or [""]:
        found += textwrap.wrap(
            paragraph,
            max(width, len(indent) + 20),
            initial_indent=indent if found else first,
            subsequent_indent=indent,
            break_on_hyphens=False,
        ) or [first.rstrip() if not found else ""]
    return [inert(each) for each in found]


def sentence(text: str, *, width: int = 80) -> str:
    """Return a message wrapped to the width; paths and other long words stay whole, so that they can be copied."""
    paragraphs = printable(text).splitlines()
    wrapped = (
        textwrap.wrap(each, max(width, 20), break_long_words=False, break_on_hyphens=False) or [""]
        for each in paragraphs
    )
    return "\n".join(inert(each) for lines in wrapped for each in lines)


def summary(report: Report, *, files: Sequence[str] = (), width: int = 80, is_whole: bool = False) -> list[str]:
    """Return the lines of the session's summary; ``is_whole`` names all causes and all of their items."""
    session = report.session
    causes = report.root_causes if is_whole else report.root_causes[:_CAUSES]
    left = len(report.root_causes) - len(causes)
    return [
        *_wrapped(outcomes(session), width, first=""),
        *_field("in short", _in_short(report), width),
        *(text for cause in causes for text in _shared_cause(cause, session, width, is_whole=is_whole)),
        *_field("", f"... and {left} more causes; -vv shows all." if left else "", width),
        *(_compared(report.comparison, width) if has_changes(report.comparison) else ()),
        *_spending(session, width),
        *(_field("plan", plan(session.plan), width) if session.plan else ()),
        *(f"{'written':<{_LABEL}}{line(file)}" for file in files),
    ]


def _in_short(report: Report) -> str:
    """Return what a model says of all failures together."""
    summary = report.session.summary
    is_by_rules = summary is None or summary.problem is not None
    return "" if is_by_rules else report.executive_summary.removeprefix(outcomes(report.session)).strip()


def _shared_cause(cause: RootCause, session: SessionRecord, width: int, *, is_whole: bool) -> Iterator[str]:
    count = f"{len(cause.nodeids)} of {session.failed} failures: "
    indent = " " * _LABEL
    yield from _wrapped(f"{cause.cause} ({_kind(cause)})", width, first=count, indent=indent)
    yield from _wrapped(cause.advice, width, first=f"{indent}to do: ") if cause.advice else ()
    shown = cause.nodeids if is_whole else cause.nodeids[:_NODEIDS]
    yield from (f"{indent}{line(nodeid)}" for nodeid in shown)
    if len(shown) < len(cause.nodeids):
        yield f"{indent}... and {len(cause.nodeids) - len(shown)} more"


def _kind(cause: RootCause) -> str:
    known = {None: "", True: ", known", False: ", new"}[cause.is_known]
    return f"{cause.failure_type.replace('_', ' ')}{known}"


def has_changes(comparison: Comparison | None) -> TypeGuard[Comparison]:
    """Tell whether a comparison has anything to say: a run that is well, like the one before, has not."""
    return comparison is not None and bool(comparison.new or comparison.known or comparison.gone)


def _compared(comparison: Comparison, width: int) -> Iterator[str]:
    yield from _field("compared", compared(comparison), width)
    for cause in comparison.gone:
        yield from _field("gone", f"{cause.cause} ({cause.failure_type.replace('_', ' ')})", width)


def compared(comparison: Comparison) -> str:
    """Return in a sentence how this run stands beside the earlier one."""
    counts = f"{comparison.new} new, {comparison.known} known, {len(comparison.gone)} gone"
    return f"with {line(comparison.earlier)}: causes {counts}."


def _spending(session: SessionRecord, width: int) -> Iterator[str]:
    if session.analysts:
        yield from _field("diagnosed", f"by {', '.join(session.analysts)}: {_session_cost(session)}", width)
    elif session.tokens:
        yield from _field("spent", _session_cost(session), width)
    if session.summary and session.summary.problem:
        yield from _field("note", by_rules(session.summary), width)


def by_rules(summary: SummaryRecord) -> str:
    """Return why the causes are grouped by rules, although a model was asked."""
    return f"The causes are grouped by their words alone: {line(summary.model)} gave no summary: {summary.problem}"


def _session_cost(session: SessionRecord) -> str:
    waited = session.seconds_waited
    parts = [
        f"{session.tokens:,} tokens",
        f"{session.cached} cached" if session.cached else "",
        f"{session.replayed} replayed" if session.replayed else "",
        _money(session),
        f"{waited:.1f} s waiting for the limit" if waited >= _WORTH_SAYING else "",
    ]
    return ", ".join(filter(None, parts))


def _money(session: SessionRecord) -> str:
    if session.dollars is not None:
        return f"${session.dollars:.4f}"
    return _unknown_cost() if session.tokens else ""


def _unknown_cost() -> str:
    missing = find_spec("genai_prices") is None
    return "cost unknown" + (": pip install 'pytest-refinery[prices]'" if missing else "")


def plan(found: SessionPlan) -> str:
    """Return what a run would cost."""
    items = "1 item" if found.items == 1 else f"{found.items} items"
    least, most = found.least_dollars, found.most_dollars
    money = _unknown_cost() if least is None or most is None else f"${least:.4f} to ${most:.4f}"
    return (
        f"{items}, {found.calls} calls to {line(found.model)}, about {found.input_tokens:,} tokens in and "
        f"{found.least_output_tokens:,} to {found.most_output_tokens:,} out; at {found.tokens_per_minute:,} tokens per "
        f"minute {found.minutes:.1f} minutes at least; {money}. Nothing was spent."
    )
