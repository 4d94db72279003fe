"""Where a record is put on pytest's reports and into its JUnit file, and nowhere else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast
from xml.etree.ElementTree import Element

from pytest_refinery.analysis.records import Outcome
from pytest_refinery.integration.item_records import scrubber_of, take_cassette_record
from pytest_refinery.integration.workers import columns
from pytest_refinery.reports import labels, text, verification
from pytest_refinery.reports.escape import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.scrubbing.scrubber import Scrubber

_PREFIX = "refinery."
_FEWEST_LINES = 7
TITLE = "refinery diagnosis"
NOTES_TITLE = "refinery notes on the trace"
# What a loader says of what it could not read; that a field is kept as metadata matters less.
_UNREAD = (
    *("not read", "Not read", "Not seen", "not in the file", "neither a text", "under other names", "is in the file"),
    *("not understood", "No runs of models"),
)


def to_report(
    item: pytest.Item, report: pytest.TestReport, record: ItemRecord, *, page: str = "", has_properties: bool = True
) -> None:
    """Put the record on a report that settles the item: of its call, of a setup or a teardown that ended it.

    ``page`` is the address of the item on the page of the run, where there will be one.
    """
    _hide_secrets(report.longrepr, scrubber_of(item.config))
    # On the item: JUnit reads the properties of the teardown's report.
    for properties in (item.user_properties, report.user_properties):
        others = [pair for pair in properties if not str(pair[0]).startswith(_PREFIX)]
        properties[:] = [*others, *(_properties(record) if has_properties else ())]
    # A plain dict: xdist ships report attributes as JSON.
    cast("Any", report).refinery = _encodable(record.model_dump(mode="json"))
    notes = "\n".join(text.sentence(note, width=columns(item.config)) for note in unread(record))
    if notes:
        # pytest shows it of failed tests, and of passed ones where -rA asks for it.
        report.sections.append((NOTES_TITLE, notes))
    section = "\n".join(_section(item, record, page=page, taken=len(notes.splitlines()) + 1 if notes else 0))
    if section and report.failed:
        _add_section(report, section)
    if report.failed and item.config.getoption("htmlpath", None):
        _add_extra(report, text.whole(record))


def _hide_secrets(longrepr: Any, scrubber: Scrubber) -> None:  # noqa: ANN401  (one of pytest's many forms)
    """Take secrets out of the failure of a test that has shown what a trace holds."""
    chain = [each[:2] for each in getattr(longrepr, "chain", ())]
    chain = chain or [(getattr(longrepr, "reprtraceback", None), getattr(longrepr, "reprcrash", None))]
    for trace, crash in chain:
        for entry in getattr(trace, "reprentries", ()):
            for shown in filter(None, (entry, getattr(entry, "reprlocals", None))):
                shown.lines[:] = _without_secrets(shown.lines, scrubber)
            arguments = getattr(entry, "reprfuncargs", None)
            if arguments is not None:
                arguments.args = [(name, scrubber.text(str(value))) for name, value in arguments.args]
        if crash is not None:
            crash.message = scrubber.text(crash.message)


def cassette_to_report(item: pytest.Item, report: pytest.TestReport) -> bool:
    """Put what came of the item's cassette on the report of its end; tell whether it is there now."""
    record = take_cassette_record(item) if report.when == "teardown" else None
    if record is not None:
        cast("Any", report).refinery_tape = record.model_dump(mode="json")
    return record is not None


def _without_secrets(lines: list[str], scrubber: Scrubber) -> list[str]:
    # Together: a secret may stand on several lines. Those of the style "native" end with line ends of their own.
    joint = "" if lines and lines[-1].endswith("\n") else "\n"
    text = scrubber.text(joint.join(lines))
    return text.split("\n") if joint else text.splitlines(keepends=True)


def _encodable(data: object) -> object:
    """Return JSON that UTF-8 can hold: a trace may carry half a character, on which xdist and ``report.json`` break."""
    return json.loads(json.dumps(data, ensure_ascii=False).encode("utf-8", errors="replace"))


def _section(item: pytest.Item, record: ItemRecord, *, page: str, taken: int) -> Iterator[str]:
    if record.diagnosis is not None:
        detail, width = text.Detail.of(item.config.get_verbosity()), columns(item.config)
        # Of a Python test pytest shows the failure, however long that is.
        above = text.verdict(record, width=width, detail=detail).count("\n") + 1
        if different := text.difference(record, width=width, detail=detail):
            yield "\n".join(different)
            above += len(different)
        yield text.diagnosis(
            record.diagnosis,
            checks=record.checks,
            width=width,
            detail=detail,
            lines=None if detail else max(_FEWEST_LINES, text.MOST_LINES - above - taken),
            links=list(_links(record, page)),
        )
    if record.error and record.outcome == Outcome.FAILED:
        yield text.sentence(record.error, width=columns(item.config))


def _links(record: ItemRecord, page: str) -> Iterator[tuple[str, str]]:
    """Yield where to read on: the page of the run, and the trace where it has a page of its own."""
    if page:
        yield labels.MORE, page
    if record.trace is not None and record.trace.url:
        yield labels.TRACE, record.trace.url


def unread(record: ItemRecord) -> list[str]:
    """Return the notes on what was not read of the trace, and so did not count."""
    notes = record.trace.notes if record.trace is not None else ()
    return [note for note in notes if any(words in note for words in _UNREAD)]


def _add_section(report: pytest.TestReport, section: str) -> None:
    add = getattr(report.longrepr, "addsection", None)
    if add is not None:
        # Inside the failure itself: JUnit and --show-capture=no show it too.
        add(TITLE, section, "-")
    else:
        report.sections.append((TITLE, section))


def _add_extra(report: pytest.TestReport, whole: str) -> None:
    """Let the report of pytest-html link to the whole text: this is what its `extras.text` makes."""
    extra = {
        "name": "diagnosis",
        "format_type": "text",
        "content": whole,
        "mime_type": "text/plain",
        "extension": "txt",
    }
    cast("Any", report).extras = [*getattr(report, "extras", ()), extra]


def _properties(record: ItemRecord) -> Iterator[tuple[str, object]]:
    yield f"{_PREFIX}outcome", record.outcome.value
    yield f"{_PREFIX}severity", record.expectation.severity.value
    if record.error:
        yield f"{_PREFIX}error", printable(record.error)
    found = record.diagnosis
    if found is None:
        return
    yield f"{_PREFIX}failure_type", found.kind
    yield f"{_PREFIX}root_cause", printable(found.root_cause or "not determined")
    yield f"{_PREFIX}candidates", printable("; ".join(map(text.candidate, found.candidates)))
    yield f"{_PREFIX}responsible_run_id", printable(found.responsible_run_id or "")
    yield f"{_PREFIX}responsible_run_name", printable(found.responsible_run_name or "")
    yield f"{_PREFIX}confidence", found.confidence.value
    yield f"{_PREFIX}coverage", found.coverage.percentage
    yield f"{_PREFIX}analyst", found.analyst
    if found.verification is not None:
        yield f"{_PREFIX}verification", found.verification.status.value
        yield f"{_PREFIX}verification_text", printable(verification.sentence(found.verification))


class JUnit:
    """The JUnit file of a run, where it writes one.

    pytest has no other way: its own ``system-out`` holds captured output alone, and that only with ``junit_logging``.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def add_output(self, report: pytest.TestReport, text: Callable[[], str]) -> None:
        """Add a text to the item that ``report`` is about; behind its teardown the file has ended with the item."""
        file = self._file()
        if file is not None and report.when != "teardown":
            output = Element("system-out")
            output.text = text()
            file.node_reporter(report).append(output)

    def _file(self) -> Any:  # noqa: ANN401  (private to pytest)
        plugins = self._config.pluginmanager.get_plugins()
        return next((plugin for plugin in plugins if type(plugin).__name__ == "LogXML"), None)
