"""The page: from a report and the pictures of its traces to one HTML text."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from pytest_refinery.analysis.records import Outcome
from pytest_refinery.analysis.session_report import failures_first
from pytest_refinery.digest.lines import fold
from pytest_refinery.reports import anchors, comparing, verification
from pytest_refinery.reports.escape import line, printable, shortened, without_home
from pytest_refinery.reports.page.curve import HEIGHT, WIDTH, curve
from pytest_refinery.reports.page.embed import json_text, source_hash
from pytest_refinery.reports.text import (
    agent,
    by,
    by_rules,
    changes,
    compared,
    covered,
    last_line,
    part_objected_to,
    shortened_to,
    step,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_refinery.analysis.records import ItemRecord, Report
    from pytest_refinery.analysis.schemas import Evidence
    from pytest_refinery.reports.page.kept import Kept

# Browsers take minutes over pages much larger than this.
LARGEST_PAGE = 32_000_000
LONGEST_TEXT = 20_000
_PACKAGE = "pytest_refinery.reports.page"
_OUTCOMES = (Outcome.FAILED, Outcome.UNDECIDED, Outcome.PASSED, Outcome.SKIPPED)


@dataclass(frozen=True)
class _Entry:
    """An item as the page shows it.

    Attributes:
        whole_anchor: The one that says its whole node id.
        trace: The number of its trace among those that several entries share.
        begins_trace: How many entries share its trace, where it is the first of them; else 0.
        cause: The place of its cause among the report's, from 0.
        picture: The id of the element that holds its trace.
        marks: What to mark in the trace, as JSON, escaped.
    """

    item: ItemRecord
    anchor: str
    whole_anchor: str
    trace: int | None
    begins_trace: int
    cause: int | None
    picture: str | None
    marks: Markup


def render(report: Report, kept: Kept) -> str:
    """Return the page.

    Args:
        report: What was found.
        kept: What the page shows beside it; items without a picture are shown without.
    """
    places, elements = _placed(report, kept.pictures)
    entries = _entries(report, places)
    style, script = _file("style.css"), _file("page.js")
    template = _environment().get_template("page.html.j2")
    return template.render(
        report=report,
        entries=entries,
        anchors={entry.item.nodeid: entry.anchor for entry in entries},
        outcomes=[(outcome.value, count) for outcome in _OUTCOMES if (count := _count(report, outcome))],
        tags=sorted({tag for item in report.expectations for tag in item.expectation.tags}),
        elements=elements,
        left_out=len(set(kept.pictures.values())) - len(elements),
        curve=curve(kept.spendings, limit=kept.limit),
        box=(WIDTH, HEIGHT),
        style=Markup(style),  # noqa: S704  (our own file)
        script=Markup(script),  # noqa: S704  (our own file)
        policy=_policy(style, script),
    )


def _policy(style: str, script: str) -> str:
    allowed = f"script-src {source_hash(script)}; style-src {source_hash(style)}"
    return f"default-src 'none'; {allowed}; img-src data:; base-uri 'none'; form-action 'none'"


def _count(report: Report, outcome: Outcome) -> int:
    return sum(item.outcome == outcome for item in report.expectations)


def _placed(report: Report, pictures: Mapping[str, str]) -> tuple[dict[str, str], list[tuple[str, Markup]]]:
    """Return each picture once, as id and content of an element, and which item has which."""
    ids: dict[str, str] = {}
    places: dict[str, str] = {}
    size = 0
    for item in report.expectations:
        picture = pictures.get(item.nodeid)
        if picture is None:
            continue
        if picture not in ids and size + len(picture) <= LARGEST_PAGE:
            ids[picture] = f"picture-{len(ids) + 1}"
            size += len(picture)
        if picture in ids:
            places[item.nodeid] = ids[picture]
    return places, [(name, Markup(json_text(without_home(picture)))) for picture, name in ids.items()]  # noqa: S704  (escaped)


def _entries(report: Report, places: Mapping[str, str]) -> list[_Entry]:
    causes = {nodeid: place for place, cause in enumerate(report.root_causes) for nodeid in cause.nodeids}
    items, traces = _by_trace(failures_first(report.expectations))
    names = anchors.counted(item.nodeid for item in items)
    short = _each_once(anchors.of(item.nodeid, names) for item in items)
    whole = _each_once(anchors.whole(item.nodeid) for item in items)
    return [
        _Entry(item, anchor, other, *next(traces), causes.get(item.nodeid), places.get(item.nodeid), _marks(item))
        for item, anchor, other in zip(items, short, whole, strict=True)
    ]


def _by_trace(items: Sequence[ItemRecord]) -> tuple[list[ItemRecord], Iterator[tuple[int | None, int]]]:
    """Return the items with those of one outcome and trace together, and of each what ``_Entry`` says of that."""
    groups: dict[tuple[object, ...], list[ItemRecord]] = {}
    for item in items:
        trace = (item.trace.source, item.trace.id) if item.trace and not item.trace.is_rerun else (item.nodeid,)
        groups.setdefault((item.outcome, *trace), []).append(item)
    places = (
        (number if len(group) > 1 else None, len(group) if len(group) > 1 and not place else 0)
        for number, group in enumerate(groups.values())
        for place in range(len(group))
    )
    return [item for group in groups.values() for item in group], places


def _each_once(found: Iterable[str]) -> Iterator[str]:
    """Yield the anchors, those that were there before with a number."""
    seen: Counter[str] = Counter()
    for anchor in found:
        seen[anchor] += 1
        yield anchor if seen[anchor] == 1 else f"{anchor}~{seen[anchor]}"


def _marks(item: ItemRecord) -> Markup:
    """Return what to mark in the trace of an item: its decisive run, quotes and findings."""
    found = item.diagnosis
    quotes = (*(found.evidence if found else ()), *(item.judge.quotes if item.judge else ()))
    marks = {
        "responsible": found.responsible_run_number if found else None,
        "quotes": list({(each.run_number, fold(each.quote)): _quote(each) for each in reversed(quotes)}.values())[::-1],
        "candidates": [
            {"run": each.run_number, "what": line(each.reason)}
            for each in (found.candidates if found and len(found.candidates) > 1 else ())
        ],
        "findings": [{"run": each.run_number, "what": line(each.what)} for each in found.findings] if found else [],
    }
    return escape(without_home(json.dumps(marks, ensure_ascii=False)))


def _quote(evidence: Evidence) -> dict[str, object]:
    return {
        "run": evidence.run_number,
        "quote": printable(fold(evidence.quote[:LONGEST_TEXT])),
        "why": line(evidence.why),
    }


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(_PACKAGE, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {
        "number": "{:,}".format,
        "seconds": _seconds,
        "words": _words,
        "agent": agent,
        "by": by,
        "by_rules": by_rules,
        "changes": changes,
        "compared": compared,
        "gate": comparing.gate,
        "parted": comparing.parted,
        "covered": covered,
        "last_line": last_line,
        "part_objected_to": part_objected_to,
        "shortened_to": shortened_to,
        "spending": _spending,
        "step": step,
        "verification": verification.sentence,
        "address": _address,
    }
    return environment


def _spending(report: Report) -> str:
    """Return why no tokens were spent."""
    cached = report.session.cached + sum(bool(item.judge and item.judge.cached) for item in report.expectations)
    reasons = [
        f"{count} {words}"
        for count, words in (
            (report.session.replayed, "replayed from a cassette"),
            (cached, "taken from an earlier run"),
        )
        if count
    ]
    return f"No tokens were spent: {', '.join(reasons) if reasons else 'no model was asked'}."


def _words(name: str) -> str:
    return name.replace("_", " ")


def _address(text: str) -> str:
    return quote(printable(text), safe="")


def _shown(value: object) -> object:
    """Return whatever is written into the page so that it steers nothing and has an end: autoescape does the rest."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return printable(without_home(shortened(value, most=LONGEST_TEXT)))


def _seconds(seconds: float) -> str:
    if seconds < 60:  # noqa: PLR2004  (a minute)
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


@cache
def _file(name: str) -> str:
    return resources.files(_PACKAGE).joinpath(name).read_text(encoding="utf-8")
