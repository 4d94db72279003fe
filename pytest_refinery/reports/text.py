"""Items and sessions as plain text for a terminal, 80 columns or what it has."""

from __future__ import annotations

import difflib
import textwrap
from collections import Counter
from enum import IntEnum
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from pytest_refinery.analysis.records import Change, Outcome
from pytest_refinery.analysis.session_report import outcomes
from pytest_refinery.expectations.severity import Severity
from pytest_refinery.reports import comparing, labels, verification
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
        TraceRecord,
    )
    from pytest_refinery.analysis.schemas import Candidate, Diagnosis, Evidence, StageReport, StalePrompt, SuggestedFix

MOST_LINES = 14
"""Lines of one failure between pytest's own, its verdict and its diagnosis together."""
_VERDICT_LINES, _MOST_VERDICT_LINES = 6, 8
_QUOTES = 3
_QUOTE_CHARACTERS = 300
_CHANGES = 5
_PATH = 6
_CAUSES = 10
_NAMES = 3
_LABEL = 13
_WORTH_SAYING = 0.05
_HOW_TO_VERIFY = ": --refinery-verify 5"


class Detail(IntEnum):
    """How much is said of a failure, in the order of ``-v``."""

    SHORT = 0
    MORE = 1
    WHOLE = 2

    @classmethod
    def of(cls, verbosity: int) -> Detail:
        """Return the detail for pytest's verbosity."""
        return cls(min(max(verbosity, cls.SHORT), cls.WHOLE))


class _Block(NamedTuple):
    """Lines under one label.

    Attributes:
        lines: All of them.
        most: How many of them there are in a short text.
        rank: Which block gets room first; the last ones are left out where there is none.
        least: How many of them there are before any block gets more.
    """

    lines: list[str]
    most: int = 1
    rank: int = 0
    least: int = 1

    def at_least(self) -> int:
        """Return how many lines the block needs to say anything."""
        return min(self.least, len(self.lines))

    def at_most(self) -> int:
        """Return how many lines the block has in a short text."""
        return min(self.most, len(self.lines))


def verdict(item: ItemRecord, *, width: int = 80, detail: Detail = Detail.WHOLE) -> str:
    """Return what was expected, asked and answered, and what failed."""
    is_short = detail is Detail.SHORT
    blocks = [
        *_severity(item, width),
        *_block(labels.EXPECTED, item.expectation.expect, width, most=2, rank=1),
        *_block(labels.WHY, item.expectation.business_context, width, rank=3),
        *_block(labels.AGENT, agent(item.agent) if item.agent else "", width, rank=2),
        *(_conversation(item, item.trace, width, is_short=is_short) if item.trace else ()),
        *(_failed_short(item, width) if is_short else _failed(item, width)),
    ]
    most = min(max(_VERDICT_LINES, len(blocks)), _MOST_VERDICT_LINES)
    return "\n".join(_fitted(blocks, most if is_short else None, width))


def difference(item: ItemRecord, *, width: int = 80, detail: Detail = Detail.WHOLE) -> list[str]:
    """Return where the trace parts from the one that passed in the baseline, nothing where that is not known."""
    said = comparing.parted(item.divergence) if item.divergence is not None else ""
    blocks = _block(labels.DIFFERENCE, said, width, most=2)
    return _fitted(blocks, 2 if detail is Detail.SHORT else None, width)


def _severity(item: ItemRecord, width: int) -> Iterator[_Block]:
    found = item.expectation.severity
    if found is not Severity.MEDIUM:
        yield from _block(labels.SEVERITY, found.value, width)


def _conversation(item: ItemRecord, trace: TraceRecord, width: int, *, is_short: bool) -> Iterator[_Block]:
    asked, answered = line(trace.asked), line(trace.answered)
    if is_short:
        room = 2 * (width - _LABEL) - 10
        asked, answered = shortened_to(asked, room), part_objected_to(item, answered, room)
    yield from _block(labels.ASKED, f'"{asked}"' if asked else "", width, rank=4)
    yield from _block(
        labels.ANSWERED, f'"{answered}"' if answered else "nothing" if asked else "", width, most=2, rank=2
    )


def part_objected_to(item: ItemRecord, text: str, room: int) -> str:
    """Return the part of a long text that a failed check or the judge quotes, else its beginning."""
    quotes = [check.text for check in item.checks if not check.passed and check.text]
    quotes += [quote.quote for quote in item.judge.quotes] if item.judge else []
    place = next((at for quote in quotes if (at := text.find(line(quote))) >= 0), 0)
    if place < room // 2 or len(text) <= room:
        return shortened_to(text, room)
    start = text.rfind(" ", 0, max(1, min(place - room // 3, len(text) - room))) + 1
    return f"... {shortened_to(text[start:], room - 4)}"


def shortened_to(text: str, most: int) -> str:
    """Return the beginning of ``text``, cut between words behind which ``...`` stands."""
    if len(text) <= most:
        return text
    cut = text[: most - 3]
    return f"{cut[: cut.rfind(' ')] if cut.rfind(' ') > most // 2 else cut.rstrip()} ..."


def _failed_short(item: ItemRecord, width: int) -> Iterator[_Block]:
    failed = [check for check in item.checks if not check.passed]
    has_answer = item.trace is not None and bool(item.trace.answered)
    for number, check in enumerate(failed[:2]):
        label = "" if number else labels.FAILED
        rest = f"and {len(failed) - 1} more checks; -v shows them" if number and len(failed) > 2 else ""  # noqa: PLR2004
        shows_actual = not (has_answer and check.name.startswith("output."))
        said = rest or _check_short(check, shows_actual=shows_actual)
        yield from _block(label, said, width, most=1 if number else 2, rank=5 if number else 0)
    if item.judge:
        yield from _block(labels.FAILED, f"{judged(item.judge)}: {' '.join(item.judge.reasons)}", width, most=2)


def _failed(item: ItemRecord, width: int) -> Iterator[_Block]:
    for check in item.checks:
        if not check.passed:
            yield from _block(labels.FAILED, f"{_check(check)}{_where(check)}", width)
    if item.judge:
        yield from _block(labels.FAILED, judged(item.judge), width)
        for reason in (*item.judge.reasons, *item.judge.notes):
            yield from _block("", reason, width)
        for quote in item.judge.quotes:
            yield from _block(labels.EVIDENCE, _quoted(quote.quote), width)


def _check(check: CheckRecord) -> str:
    return f"{check.name}: expected {check.expected}; actual: {check.actual}"


def _check_short(check: CheckRecord, *, shows_actual: bool) -> str:
    said = check.label if " " in check.label else f"{check.name}: expected {check.expected}"
    return f"{said}; actual: {check.actual}" if shows_actual else said


def judged(judge: JudgeRecord) -> str:
    """Return who judged, and how many trials met the expectation."""
    trials = f", {judge.met} of {judge.trials} trials met" if judge.trials > 1 else ""
    return f"{judge.verdict.value}, judged by {line(judge.model)}{trials}{' (cached)' if judge.cached else ''}"


def agent(found: AgentRecord) -> str:
    """Return which agent was re-run, and how its trials came out."""
    planned = len(found.trials)
    if planned == 1:
        return f"{found.target}, re-run"
    counts = f"{found.met} of {planned} trials met, {found.wanted} needed"
    return f"{found.target}, re-run: {counts}; this is trial {found.shown}"


def whole(item: ItemRecord, *, width: int = 80) -> str:
    """Return all that is known of an item at full length: its verdict, its diagnosis, and what went wrong with them."""
    found = diagnosis(item.diagnosis, checks=item.checks, width=width) if item.diagnosis else ""
    error = sentence(item.error, width=width) if item.error else ""
    parts = (verdict(item, width=width), "\n".join(difference(item, width=width)), found, error)
    return "\n\n".join(filter(None, parts))


def _where(check: CheckRecord) -> str:
    return f" (in {name(check.run_name)}, id {name(check.run_id or '')})" if check.run_name else ""


def diagnosis(
    found: Diagnosis,
    *,
    checks: Iterable[CheckRecord] = (),
    width: int = 80,
    detail: Detail = Detail.WHOLE,
    lines: int | None = None,
    links: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the diagnosis top-down: cause, step, fix; then evidence, gaps, summary and cost where there is room.

    Args:
        found: The diagnosis.
        checks: The checks of the item: gaps that they have shown already are not repeated.
        width: Columns to fill.
        detail: How much to say.
        lines: How many lines there may be at most.
        links: Where to read on, each with its label.
    """
    is_whole = detail is Detail.WHOLE
    blocks = [
        *_cause(found, width, has_basis=detail > Detail.SHORT),
        *_step(found, width, is_whole=is_whole),
        *_fix(found, width, detail),
        # First: it names what to install or to set.
        *_block(labels.INCOMPLETE, found.partial or "", width, most=4, least=4),
    ]
    if detail > Detail.SHORT:
        blocks += [*_candidates(found, width), *_evidence(found, width, is_whole=is_whole)]
    if is_whole:
        blocks += [*_gaps(found, {check.actual for check in checks}, width), *_whole(found, width)]
    blocks += [*_changed(found.stale_prompts, width, is_short=detail is Detail.SHORT)]
    blocks += [block for label, place in links for block in _link(label, place)]
    return "\n".join(_fitted(blocks, lines, width))


def _link(label: str, place: str) -> Iterator[_Block]:
    # Whole, so that it can be clicked.
    yield _Block([f"{label:<{_LABEL}}{inert(line(place))}"], rank=2)


def _cause(found: Diagnosis, width: int, *, has_basis: bool) -> Iterator[_Block]:
    if found.root_cause is None:
        yield from _not_determined(found, width, is_short=not has_basis)
        return
    yield from _block(labels.ROOT_CAUSE, found.root_cause, width, most=3, rank=1, least=2)
    yield from _block("", kind(found), width, rank=1)
    if has_basis:
        yield from _block("", found.confidence_basis, width)


def _not_determined(found: Diagnosis, width: int, *, is_short: bool) -> Iterator[_Block]:
    yield from _block(labels.ROOT_CAUSE, f"not determined, {by(found)}", width)
    for number, each in enumerate(found.candidates if is_short else ()):
        yield from _block("" if number else labels.CANDIDATES, candidate(each), width, most=2, rank=2)


def kind(found: Diagnosis) -> str:
    """Return the kind of a cause, how sure it is, and who found it."""
    return f"{found.kind.replace('_', ' ')}, confidence {found.confidence.value}, {by(found)}"


def by(found: Diagnosis) -> str:
    """Return who made the diagnosis."""
    return (
        f"by {line(found.model)}"
        if found.model
        else "by rules"
        if found.analyst == "builtin"
        else f"by {line(found.analyst)}"
    )


def candidate(found: Candidate) -> str:
    """Return which step may be the decisive one, and why."""
    return f"step {found.run_number}, {name(found.run_name)}: {found.reason}"


def _candidates(found: Diagnosis, width: int) -> Iterator[_Block]:
    """Yield the candidates, unless the only one is the decisive step."""
    shown = found.candidates if len(found.candidates) > 1 or not found.is_determined else ()
    for number, each in enumerate(shown):
        yield from _block("" if number else labels.CANDIDATES, candidate(each), width)


def _step(found: Diagnosis, width: int, *, is_whole: bool) -> Iterator[_Block]:
    if not found.is_determined:
        return
    identity = f" (id {name(found.responsible_run_id)})" if is_whole and found.responsible_run_id else ""
    yield from _block(labels.STEP, step(found) + identity, width, rank=1)
    yield from _block(labels.CALL, line(found.call), width, rank=3)
    yield from _block(labels.RESULT, last_line(found.result), width, rank=6, least=0)


def last_line(text: str) -> str:
    """Return a text on one line; of a Python traceback its last line, which says what happened."""
    lines = text.strip().splitlines()
    if any(each.startswith("Traceback (most recent call last)") for each in lines):
        return line(lines[-1])
    return line(text)


def step(found: Diagnosis) -> str:
    """Return which step of the trace is the decisive one."""
    if found.responsible_run_id is None:
        return "no single step could be named"
    what = labels.KINDS.get(found.responsible_run_kind, found.responsible_run_kind)
    named = " ".join(filter(None, (line(what), name(found.responsible_run_name or ""), path(found))))
    return f"{found.responsible_run_number} of {found.coverage.runs_total}, {named}"


def path(found: Diagnosis) -> str:
    """Return in which runs the responsible one was, the outermost first; empty where it was in none."""
    names = [name(each) for each in found.responsible_run_path]
    if len(names) > _PATH:
        names[2:-2] = [f"... {len(names) - 4} more ..."]
    return f"in {' > '.join(names)}" if names else ""


def _quoted(text: str) -> str:
    return f'"{shortened(line(text), most=_QUOTE_CHARACTERS)}"'


def _evidence(found: Diagnosis, width: int, *, is_whole: bool) -> Iterator[_Block]:
    for quote in found.evidence[: None if is_whole else _QUOTES]:
        yield from _block(labels.EVIDENCE, f'"{quote.quote}"' if is_whole else _quoted(quote.quote), width)
        yield from _block("", _why(found, quote), width)


def _why(found: Diagnosis, quote: Evidence) -> str:
    said = "" if quote.why in (found.root_cause or "") else quote.why
    place = f"(step {quote.run_number})" if quote.run_id != found.responsible_run_id else ""
    return f"{said} {place}".strip()


def _gaps(found: Diagnosis, shown: set[str], width: int) -> Iterator[_Block]:
    for gap in found.gaps:
        if gap.actual not in shown:
            yield from _block(labels.EXPECTED, gap.expected, width)
            yield from _block(labels.ACTUAL, gap.actual, width)
    for label, entries in (
        (labels.MISSING, found.missing_context),
        (labels.ASSUMPTION, found.wrong_assumptions),
        (labels.AFFECTED, found.affected_components),
    ):
        for entry in entries:
            yield from _block(label, entry, width)


def _changed(prompts: Iterable[StalePrompt], width: int, *, is_short: bool) -> Iterator[_Block]:
    for prompt in prompts:
        (block,) = _block(labels.CHANGED, stale(prompt), width, rank=5)
        yield block if is_short else block._replace(lines=[*block.lines, *_changes(stale_changes(prompt), width)])


def stale(prompt: StalePrompt) -> str:
    """Return which prompt file has changed since the trace was recorded, and where the trace has another text."""
    return f"{prompt.file} (step {prompt.run_number} had another text)"


def stale_changes(prompt: StalePrompt) -> Iterator[str]:
    """Yield the first lines that are gone since the trace was recorded, and that are new, behind ``-`` or ``+``."""
    for sign, texts in (("-", prompt.only_in_trace), ("+", prompt.only_in_file)):
        yield from (f"{sign}{shortened(line(text), most=_QUOTE_CHARACTERS)}" for text in texts[:_CHANGES])
        if len(texts) > _CHANGES:
            yield f"{sign}... and {len(texts) - _CHANGES} more"


def _fix(found: Diagnosis, width: int, detail: Detail) -> Iterator[_Block]:
    fix = found.suggested_fix
    if fix is None:
        return
    said = verification.sentence(found.verification)
    place = f"{fix.file or fix.component} ({said})"
    if found.verification is None and fix.diff and len(place) + len(_HOW_TO_VERIFY) <= width - _LABEL:
        place = f"{place.removesuffix(')')}{_HOW_TO_VERIFY})"
    if detail > Detail.SHORT and fix.file and fix.file != fix.component:
        place = f"{fix.component}, {place}"
    if detail > Detail.SHORT and fix.why:
        place = f"{place}: {fix.why}"
    (block,) = _block(labels.FIX, place, width)
    yield _Block([*block.lines, *_changes(changes(fix), width)], most=3, rank=2, least=3)


def _changes(signed: Iterable[str], width: int) -> Iterator[str]:
    return (text for each in signed for text in _wrapped(each[1:], width, first=f"{' ' * _LABEL}{each[0]} "))


def changes(fix: SuggestedFix) -> Iterator[str]:
    """Yield the lines that the fix takes away and adds, each behind ``-`` or ``+``."""
    # Line by line: what compares characters takes minutes over long lines.
    lines = difflib.unified_diff(fix.before.splitlines(), fix.after.splitlines(), n=0, lineterm="")
    return (text for text in islice(lines, 2, None) if text[0] in "+-")


def _whole(found: Diagnosis, width: int) -> Iterator[_Block]:
    yield from _block(labels.SUMMARY, found.executive_summary, width)
    for finding in found.also_noticed:
        yield from _block(labels.NOTICED, f"{finding.what} (step {finding.run_number})", width)
    yield from _block(labels.ANALYST, f"{analyst(found)}: {covered(found)}, {_spent(found)}", width)
    yield from _block(labels.STAGES, "" if found.cached else "; ".join(map(_stage, _asked(found))), width)
    for note in found.notes:
        yield from _block(labels.NOTE, note, width)


def analyst(found: Diagnosis) -> str:
    """Return who made the diagnosis, and with which model."""
    named = "rules" if found.analyst == "builtin" else found.analyst
    return f"{named} ({line(found.model)})" if found.model else named


def covered(found: Diagnosis) -> str:
    """Return how much of the trace was read."""
    return f"{found.coverage.runs_read} of {found.coverage.runs_total} steps read ({found.coverage.percentage:g} %)"


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


def _block(label: str, text: str, width: int, *, most: int = 1, rank: int = 0, least: int = 1) -> Iterator[_Block]:
    lines = _field(label, text, width)
    if lines:
        yield _Block(lines, most, rank, least)


def _fitted(blocks: Iterable[_Block], most: int | None, width: int) -> list[str]:
    """Return the lines of the blocks, ``most`` in all: by rank each gets its least, then more where there is room."""
    blocks = list(blocks)
    if most is None:
        return [text for block in blocks for text in block.lines]
    ranked = sorted(range(len(blocks)), key=lambda place: blocks[place].rank)
    granted = dict.fromkeys(ranked, 0)
    room = max(most, 1)
    for wanted in (_Block.at_least, _Block.at_most):
        for place in ranked:
            more = max(0, min(room, wanted(blocks[place]) - granted[place]))
            granted[place] += more
            room -= more
    return [text for place in sorted(granted) for text in _cut(blocks[place].lines, granted[place], width)]


def _cut(lines: list[str], most: int, width: int) -> list[str]:
    if len(lines) <= most or not most:
        return lines[:most]
    # Of the line behind it there may be words that fit.
    last = f"{lines[most - 1]} {lines[most].lstrip()}"
    room = max(width, _LABEL + 20)
    cut = last[: room - 4]
    end = cut.rfind(" ") if last[room - 4 : room - 3].strip() else len(cut)
    return [*lines[: most - 1], f"{(cut[:end] if end > _LABEL + 10 else cut).rstrip()} ..."]


def _field(label: str, text: str, width: int) -> list[str]:
    if not text:
        return []
    if len(label) >= _LABEL:
        return _wrapped(text, width, first=f"{label}: ", indent=" " * _LABEL)
    return _wrapped(text, width, first=f"{label:<{_LABEL}}")


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


def summary(report: Report, *, files: Sequence[str] = (), width: int = 80, detail: Detail = Detail.SHORT) -> list[str]:
    """Return the lines of the session's summary; what stands above it, failure by failure, is not repeated."""
    session, is_whole = report.session, detail is Detail.WHOLE
    more = "-v: evidence and candidates; --refinery-report DIR: a page"
    is_hinted = bool(session.analysts) and detail is Detail.SHORT and not files
    return [
        *_wrapped(outcomes(session), width, first=""),
        *_field(labels.SEVERITY, _severities(report), width),
        *_field(labels.SUMMARY, _said(report), width),
        *_causes(report, width, is_whole=is_whole),
        *(_compared(report.comparison, width) if has_changes(report.comparison) else ()),
        *_field("Prompts", prompts(report), width),
        *_spending(report, width),
        *(_field("Plan", plan(session.plan), width) if session.plan else ()),
        *_files(files),
        *_field(labels.MORE, more if is_hinted else "", width),
    ]


def prompts(report: Report) -> str:
    """Return how many prompts the traces have, and how many of the files that expectations name match them."""
    traces = {(item.trace.id, item.trace.prompts) for item in report.expectations if item.trace}
    seen = [each for _, each in traces if each]
    found, files = sum(each.found for each in seen), sum(each.files for each in seen)
    matching = f"{sum(each.matching for each in seen)} of {files} prompt files match"
    evals = f"{count} eval files" if (count := sum(each.evals for each in seen)) else ""
    said = [f"{found} in the traces", matching if files else "no prompt files named", evals]
    return ", ".join(filter(None, said)) if found or files or evals else ""


def _severities(report: Report) -> str:
    """Return how many failures there are of each severity, the worst first; nothing where all are medium."""
    counts = Counter(item.expectation.severity for item in report.expectations if item.outcome == Outcome.FAILED)
    if not counts.keys() - {Severity.MEDIUM}:
        return ""
    return ", ".join(f"{counts[each]} {each.value}" for each in sorted(counts, key=lambda each: each.rank))


def _files(files: Sequence[str]) -> Iterator[str]:
    for number, file in enumerate(files):
        yield f"{'' if number else 'Report':<{_LABEL}}{line(file)}"


def _said(report: Report) -> str:
    """Return what a model says of all failures together."""
    summary = report.session.summary
    is_by_rules = summary is None or summary.problem is not None
    return "" if is_by_rules else report.executive_summary.removeprefix(outcomes(report.session)).strip()


def _causes(report: Report, width: int, *, is_whole: bool) -> Iterator[str]:
    """Yield the causes that several failures share, and how many failures have one of their own."""
    shared = [cause for cause in report.root_causes if is_whole or len(cause.nodeids) > 1]
    shown = shared if is_whole else shared[:_CAUSES]
    for cause in shown:
        yield from _cause_of_several(cause, width, is_whole=is_whole)
    if left := len(shared) - len(shown):
        yield from _field("", f"... and {left} more causes; -vv shows all.", width)
    own = len(report.root_causes) - len(shared)
    if own > 1 or (own and shared):
        yield from _wrapped(f"{counted(own)} with a cause of {'its' if own == 1 else 'their'} own", width, first="")


def counted(failures: int) -> str:
    """Return ``1 failure`` or ``2 failures``."""
    return f"{failures} failure{'' if failures == 1 else 's'}"


def _cause_of_several(cause: RootCause, width: int, *, is_whole: bool) -> Iterator[str]:
    label, indent = counted(len(cause.nodeids)), " " * _LABEL
    yield from _wrapped(f"{cause.cause} ({cause_kind(cause)})", width, first=f"{label:<{_LABEL}}", indent=indent)
    yield from _wrapped(cause.advice, width, first=f"{indent}To do: ", indent=indent) if cause.advice else ()
    names = [line(nodeid.rpartition("::")[2]) for nodeid in cause.nodeids]
    left = 0 if is_whole else max(0, len(names) - _NAMES)
    shown = names if is_whole else names[:_NAMES]
    yield from _field("", ", ".join([*shown, *([f"... and {left} more"] if left else [])]), width)


def cause_kind(cause: RootCause) -> str:
    """Return the kind of a cause, its severity where it is not medium, and whether it was there before."""
    severity = cause.severity.value if cause.severity is not Severity.MEDIUM else ""
    known = {None: "", True: "known", False: "new"}[cause.is_known]
    return ", ".join(filter(None, (cause.failure_type.replace("_", " "), severity, known)))


def has_changes(comparison: Comparison | None) -> TypeGuard[Comparison]:
    """Tell whether a comparison has anything to say: one of two runs without failures has not."""
    return comparison is not None and bool(comparison.new or comparison.known or comparison.changes or comparison.gate)


def _compared(comparison: Comparison, width: int) -> Iterator[str]:
    yield from _wrapped(compared(comparison), width, first="", indent=" " * _LABEL)
    for cause in comparison.gone:
        yield from _field("Fixed", f"{cause.cause} ({cause.failure_type.replace('_', ' ')})", width)
    if comparison.gate is not None:
        yield from _field("Gate", comparing.gate(comparison.gate), width)


def compared(comparison: Comparison) -> str:
    """Return how this run stands beside the earlier one."""
    changes = comparison.changes
    counts = f"{comparison.new} new, {comparison.known} known, {changes.get(Change.FIXED, 0)} fixed"
    counts += f", {changes[Change.FLAKY]} flaky" if Change.FLAKY in changes else ""
    counts += f", {len(comparison.missing)} gone" if comparison.missing else ""
    return f"vs {line(comparison.earlier).removeprefix('the ')}: {counts}"


def _spending(report: Report, width: int) -> Iterator[str]:
    session = report.session
    if session.analysts:
        names = dict.fromkeys(by(item.diagnosis) for item in report.expectations if item.diagnosis)
        yield from _field("Diagnosed", f"{', '.join(names)}: {_session_cost(session)}", width)
    elif session.tokens:
        yield from _field("Spent", _session_cost(session), width)
    if session.summary and session.summary.problem:
        yield from _field(labels.NOTE, by_rules(session.summary), width)


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
    more = (
        f"; up to {found.calls_if_failed} calls and {found.input_tokens_if_failed:,} tokens in more where what is "
        "judged fails"
        if found.calls_if_failed
        else ""
    )
    return (
        f"{items}, {found.calls} calls to {line(found.model)}, about {found.input_tokens:,} tokens in and "
        f"{found.least_output_tokens:,} to {found.most_output_tokens:,} out{more}; at {found.tokens_per_minute:,} "
        f"tokens per minute {found.minutes:.1f} minutes at least; {money}. Nothing was spent."
    )
