"""Which format a file of JSON is in: its content says so, never its name."""

from __future__ import annotations

from collections import Counter
from itertools import chain, islice
from typing import TYPE_CHECKING, Protocol

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats import contents, data_frames, json_stream, refusals, trace_file
from pytest_refinery.sources.formats.claude_code import ClaudeCodeLines
from pytest_refinery.sources.formats.codex import CodexLines
from pytest_refinery.sources.formats.langfuse import Observations
from pytest_refinery.sources.formats.langsmith_export import RUN_LISTS, ExportedRuns
from pytest_refinery.sources.formats.llm_call_log import ModelCalls
from pytest_refinery.sources.formats.openai_agents import AgentsSpans
from pytest_refinery.sources.formats.otel import Spans
from pytest_refinery.sources.formats.tally import described, failure_notes
from pytest_refinery.sources.formats.transcript import Conversations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_refinery.sources.formats.json_stream import Piece
    from pytest_refinery.traces.model import Trace


class Format(Protocol):
    """Collects the records of a file, and makes a trace of them.

    Attributes:
        what: What its records are called, for messages to the user.
    """

    what: str

    def __init__(self, source: str) -> None:
        """Name the file in messages as ``source``."""

    @staticmethod
    def recognises(record: object) -> bool:
        """Tell whether a JSON value is a record of this format."""
        ...

    def add(self, record: object) -> bool:
        """Take the next record; what is none of this format is counted for the trace's notes.

        Returns:
            Whether it is one.
        """
        ...

    def trace(self) -> Trace:
        """Return the trace.

        Raises:
            TraceError: The records make none.
        """
        ...


_FORMATS: tuple[type[Format], ...] = (
    *(Spans, ExportedRuns, Observations, AgentsSpans, ClaudeCodeLines, CodexLines, ModelCalls),
)
_STREAMED = frozenset(
    {"resourceSpans", "resource_spans", "spans", "observations", "batches", "traceEvents", *RUN_LISTS} - {"items"}
)
# Where records stand in the answer of a service, and in the dumps of some frameworks.
_LISTS = (*sorted(_STREAMED), "items", "data", "events", "records", "logs", "entries", "calls", "traces", "attributes")
# Session logs begin with lines that say little.
_LOOKED_AT = 32
_START = 4096


def read(path: Path, *, part: str | None = None, most_mb: int = trace_file.DEFAULT_MB) -> Trace:
    """Return the trace in a file.

    Args:
        path: The file.
        part: Which of several conversations in it, by number or id.
        most_mb: How many megabytes it may hold.

    Raises:
        TraceError: It is no JSON, or no trace.
        OSError: It cannot be read.
    """
    pieces = data_frames.unrolled(json_stream.pieces(path, wrappers=_STREAMED, most_mb=most_mb))
    first = _first(pieces, path)
    kind = _kind(first)
    if kind is None:
        collected: Conversations | _Records = Conversations(path, part)
    else:
        _refuse_part(path, part, kind)
        collected = _Records(kind, str(path))
    for piece in chain(first, pieces):
        collected.add(piece)
    return contents.checked(collected.trace())


def _first(pieces: Iterator[Piece], path: Path) -> list[Piece]:
    try:
        return list(islice(pieces, _LOOKED_AT))
    except TraceError as error:
        if not path.is_file():
            raise
        with path.open("rb") as file:
            look = refusals.no_json(path, file.read(_START))
        if look is None:
            raise
        raise TraceError(look) from error


def _refuse_part(path: Path, part: str | None, kind: type[Format]) -> None:
    if part is not None:
        msg = f"{path}: #{part} names one of several conversations, but the file holds {kind.what}."
        raise TraceError(msg)


def _kind(pieces: Sequence[Piece]) -> type[Format] | None:
    """Return the format that most of the first records have, ``None`` where no format has more than half of them."""
    best, most = None, 0
    for kind in _FORMATS:
        records = [record for piece in pieces for record in islice(_records(piece.value, kind), _LOOKED_AT)]
        fits = sum(map(kind.recognises, records))
        if fits > most and 2 * fits >= sum(not _is_around(record) for record in records):
            best, most = kind, fits
    return best


class _Records:
    """Hands the records in the pieces of a file to its format."""

    def __init__(self, kind: type[Format], source: str) -> None:
        self._kind = kind
        self._source = source
        self._collected = kind(source)
        self._total = 0
        self._unread: Counter[str] = Counter()
        self._unclear: dict[str, None] = {}

    def add(self, piece: Piece) -> None:
        for record in _records(piece.value, self._kind):
            if _is_around(record) and self._kind is ExportedRuns:
                # Where the next page is, how many runs there are.
                continue
            self._total += 1
            self._unclear.update(dict.fromkeys(failure_notes([record])))
            if not self._collected.add(record) and not _is_around(record):
                self._unread[described(record)] += 1

    def trace(self) -> Trace:
        if 2 * self._unread.total() > self._total:
            raise TraceError(refusals.few(self._source, self._kind.what, self._unread, self._total))
        trace = self._collected.trace()
        return trace.model_copy(update={"notes": (*trace.notes, *self._unclear)}) if self._unclear else trace


class _Around(dict[str, object]):
    """What stands around the records of a file: how many there are, where the next ones are."""


def _is_around(record: object) -> bool:
    return isinstance(record, _Around)


def _records(value: object, kind: type[Format]) -> Iterator[object]:
    """Yield the records in a value, unwrapped; what stands around them comes last."""
    if isinstance(value, list):
        for item in value:
            yield from _records(item, kind)
        return
    if not isinstance(value, dict) or kind.recognises(value):
        yield value
        return
    inner = [name for name in _LISTS if isinstance(value.get(name), list | dict) and _holds_records(value[name])]
    if not inner:
        yield value
        return
    for name in inner:
        yield from _records(value[name], kind)
    if around := {name: item for name, item in value.items() if name not in inner}:
        yield _Around(around)


def _holds_records(value: object) -> bool:
    if isinstance(value, dict):
        return any(name in value for name in _LISTS)
    return True
