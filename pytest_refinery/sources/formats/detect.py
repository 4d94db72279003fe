"""Which format a file of JSON is in: its content says so, never its name."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Protocol

from pytest_refinery.sources.formats import json_stream, langsmith_export, trace_file
from pytest_refinery.sources.formats.claude_code import ClaudeCodeLines
from pytest_refinery.sources.formats.codex import CodexLines
from pytest_refinery.sources.formats.langfuse import Observations
from pytest_refinery.sources.formats.llm_call_log import ModelCalls
from pytest_refinery.sources.formats.openai_agents import AgentsSpans
from pytest_refinery.sources.formats.otel import Spans
from pytest_refinery.sources.formats.transcript import RUN_LISTS, RunsOrMessages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pytest_refinery.sources.formats.json_stream import Piece
    from pytest_refinery.traces.model import Trace


class Format(Protocol):
    """Collects the records of a file, and makes a trace of them."""

    def __init__(self, source: str) -> None:
        """Name the file in messages as ``source``."""

    @staticmethod
    def recognises(record: object) -> bool:
        """Tell whether a JSON value is a record of this format."""
        ...

    def add(self, record: object) -> None:
        """Take the next record; what is none of this format is counted for the trace's notes."""

    def trace(self) -> Trace:
        """Return the trace.

        Raises:
            TraceError: The records make none.
        """
        ...


_FORMATS: tuple[type[Format], ...] = (Spans, Observations, AgentsSpans, ClaudeCodeLines, CodexLines, ModelCalls)
_STREAMED = frozenset({"resourceSpans", "resource_spans", "spans", "observations", *RUN_LISTS})
# Where records stand in the answer of a service, and in the dumps of some frameworks.
_LISTS = (*sorted(_STREAMED), "data", "events", "records", "logs", "entries")
# Session logs begin with lines that say little.
_LOOKED_AT = 32


def read(path: Path, *, most_mb: int = trace_file.DEFAULT_MB) -> Trace:
    """Return the trace in a file.

    Raises:
        TraceError: It is no JSON, or no trace.
        OSError: It cannot be read.
    """
    pieces = json_stream.pieces(path, wrappers=_STREAMED, most_mb=most_mb)
    first = list(islice(pieces, _LOOKED_AT))
    kind = _kind(first)
    collected = RunsOrMessages(path) if kind is None else _Records(kind, str(path))
    for piece in chain(first, pieces):
        collected.add(piece)
    return collected.trace()


def _kind(pieces: Iterable[Piece]) -> type[Format] | None:
    """Return the format of the first piece that has one, ``None`` for LangSmith's runs and for messages."""
    for piece in pieces:
        if langsmith_export.is_run(piece.value):
            return None
        for kind in _FORMATS:
            if any(kind.recognises(record) for record in islice(_records(piece.value, kind), _LOOKED_AT)):
                return kind
    return None


class _Records:
    """Hands the records in the pieces of a file to its format."""

    def __init__(self, kind: type[Format], source: str) -> None:
        self._kind = kind
        self._collected = kind(source)

    def add(self, piece: Piece) -> None:
        for record in _records(piece.value, self._kind):
            self._collected.add(record)

    def trace(self) -> Trace:
        return self._collected.trace()


def _records(value: object, kind: type[Format]) -> Iterator[object]:
    """Yield the records in a value, unwrapped; what stands around them comes last."""
    if isinstance(value, list):
        for item in value:
            yield from _records(item, kind)
        return
    lists = [] if kind.recognises(value) or not isinstance(value, dict) else _lists_in(value)
    if not isinstance(value, dict) or not lists:
        yield value
        return
    for name in lists:
        yield from _records(value[name], kind)
    if around := {name: item for name, item in value.items() if name not in lists}:
        yield around


def _lists_in(value: dict[str, object]) -> list[str]:
    return [name for name in _LISTS if isinstance(value.get(name), list)]
