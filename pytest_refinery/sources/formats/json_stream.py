"""Reads big JSON files piece by piece, so that a trace never stands in memory as text.

``pieces`` yields the elements of a top-level array one at a time, likewise those of the
arrays that an export wraps its runs in, and each line of JSON lines. Written by hand because
the standard library parses whole texts only and the streaming parsers are compiled
dependencies; the scanning itself is ``json``'s own, in C.
"""

from __future__ import annotations

import gzip
import json
import marshal
import re
import zlib
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats import trace_file
from pytest_refinery.traces import json_values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_refinery.traces.model import Json

# The last one that writes equal values as equal bytes, whatever else refers to their parts.
_MARSHAL_VERSION = 2
_CHUNK = 1 << 20
# Half a pair of escaped surrogates, or half a word such as -Infinity.
_LONGEST_TOKEN = 16
_SPACE = re.compile(r"[\s\ufeff]*")
# Of a file that may be so large: the share that one value may have, how many records there may be, and how many
# objects, lists and members in one value. Each takes a hundred bytes of memory, in the file perhaps two.
_VALUE_SHARE = 4
_MOST_RECORDS = 1_000_000
_MOST_MEMBERS = 8_000_000
_TOO_DEEP = f"nested more than {json_values.DEEPEST} levels deep; a trace is not"


class Interner:
    """Remembers the objects that stood in lists: messages, tools, documents."""

    def __init__(self) -> None:
        self._known: dict[int, Json] = {}

    def intern(self, value: Json) -> Json:
        """Return ``value``, changed in place: an object in a list that was seen before is the one seen before."""
        if isinstance(value, dict):
            value.update({key: self.intern(item) for key, item in value.items() if isinstance(item, dict | list)})
        elif isinstance(value, list):
            value[:] = [self._one(item) if isinstance(item, dict) else self.intern(item) for item in value]
        return value

    def _one(self, value: Json) -> Json:
        known = self._known.setdefault(hash(marshal.dumps(value, _MARSHAL_VERSION)), value)
        return known if known == value else value


class Piece(NamedTuple):
    """One value of the file: ``key`` names the wrapped array that it stood in, ``None`` at top level."""

    key: str | None
    value: Json


def pieces(path: Path, *, wrappers: frozenset[str], most_mb: int = trace_file.DEFAULT_MB) -> Iterator[Piece]:
    """Yield the values of a JSON or JSON-lines file, gzipped or not.

    An object at top level comes whole, but for its arrays under a key in ``wrappers``, whose
    elements come one by one before it.

    Half surrogate pairs become question marks: no text with one in it can be written.

    Raises:
        TraceError: The file is no UTF-8, no JSON (the message has the line and column), damaged
            gzip, nested more than 150 levels deep, or larger than ``most_mb`` megabytes; or it has a value larger
            than a quarter of that, or more than a million records.
        OSError: The file cannot be opened or read.
    """
    try:
        with trace_file.open_text(path, most_mb=most_mb) as stream:
            yield from _Reader(stream, str(path), most_mb).values(wrappers)
    except UnicodeDecodeError as error:
        msg = f"{path}: not UTF-8 ({error.reason}); export the trace as UTF-8 JSON."
        raise TraceError(msg) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        msg = f"{path}: the gzip data is damaged or cut off ({error}); export the trace again."
        raise TraceError(msg) from error


class _Reader:
    """A window of text that moves over the file."""

    def __init__(self, stream: IO[str], source: str, most_mb: int) -> None:
        self._stream = stream
        self._most_mb = most_mb
        self._records = 0
        self._source = source
        self._decode = json.JSONDecoder().raw_decode
        self._interner = Interner()
        self._text = ""
        self._at = 0
        self._is_at_end = False
        self._line = 1
        self._column = 1

    def values(self, wrappers: frozenset[str]) -> Iterator[Piece]:
        while True:
            start = self._peek()
            if start == "":
                return
            if start == "[":
                yield from self._elements(None)
            elif start == "{":
                yield from self._object(wrappers)
            else:
                yield Piece(None, self._value())
            self._count_record()

    def _count_record(self) -> None:
        self._records += 1
        if self._records > _MOST_RECORDS:
            why = f"more than {_MOST_RECORDS:,} records; no trace has so many"
            raise self._error(why)

    def _elements(self, key: str | None) -> Iterator[Piece]:
        self._take("[")
        if self._peek() == "]":
            self._take("]")
            return
        while True:
            self._count_record()
            yield Piece(key, self._value())
            if self._take(",]") == "]":
                return

    def _object(self, wrappers: frozenset[str]) -> Iterator[Piece]:
        self._take("{")
        whole: dict[str, Json] = {}
        if self._peek() == "}":
            self._take("}")
            yield Piece(None, whole)
            return
        while True:
            if self._peek() != '"':
                missing = "a key in double quotes is missing"
                raise self._invalid(missing)
            key = cast("str", self._value())
            self._take(":")
            if key in wrappers and self._peek() == "[":
                whole[key] = []
                yield from self._elements(key)
            else:
                whole[key] = self._value()
            if self._take(",}") == "}":
                break
        yield Piece(None, whole)

    def _value(self) -> Json:
        """Decode the next value; read on while it may not be whole."""
        self._peek()
        while True:
            self._refuse_bomb()
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._is_at_end or not self._may_go_on(error):
                    raise self._invalid(error.msg, at=error.pos) from error
            except RecursionError as error:
                raise self._error(_TOO_DEEP) from error
            except ValueError as error:
                # Python refuses integers of more than some thousand digits.
                raise self._invalid(str(error)) from error
            else:
                # A number goes on in the next chunk where the window ends in "1", "1." or "1e+".
                if len(self._text) - end > 2 or self._is_at_end:  # noqa: PLR2004
                    return self._taken(cast("Json", value), end)
            self._more()

    def _refuse_bomb(self) -> None:
        """Refuse a value before it takes many times its size in memory."""
        most = self._most_mb * 1_000_000 // _VALUE_SHARE
        if len(self._text) - self._at > most + _CHUNK:
            why = f"one value of more than {most // 1_000_000:,} MB; allow more with --refinery-max-trace-mb"
            raise self._error(why)
        if len(self._text) - self._at > _MOST_MEMBERS and sum(map(self._text.count, "{[,")) > _MOST_MEMBERS:
            why = f"more than {_MOST_MEMBERS:,} members in one value; no trace has so many"
            raise self._error(why)

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        """Tell whether more of the file may make it right: the window may end in a value."""
        return error.msg.startswith("Unterminated") or len(self._text) - error.pos <= _LONGEST_TOKEN

    def _taken(self, value: Json, end: int) -> Json:
        if json_values.is_too_deep(value):
            raise self._error(_TOO_DEEP)
        has_lone = json_values.has_lone_surrogate(self._text, self._at, end)
        self._at = end
        return self._interner.intern(json_values.writable(value) if has_lone else value)

    def _peek(self) -> str:
        """Skip white space and return the next character, "" at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if self._is_at_end:
                return ""
            self._more()

    def _take(self, wanted: str) -> str:
        found = self._peek()
        if found and found in wanted:
            self._at += 1
            return found
        why = f"expected {' or '.join(wanted)}"
        raise self._invalid(why)

    def _more(self) -> None:
        """Move the window: what was read is forgotten, at least as much again is read."""
        gone = self._text[: self._at]
        self._line, self._column = self._place(gone)
        rest = self._text[self._at :]
        chunk = self._stream.read(max(_CHUNK, len(rest)))
        self._is_at_end = not chunk
        self._text = rest + chunk
        self._at = 0

    def _place(self, text: str) -> tuple[int, int]:
        lines = text.count("\n")
        if not lines:
            return self._line, self._column + len(text)
        return self._line + lines, len(text) - text.rfind("\n")

    def _invalid(self, why: str, *, at: int | None = None) -> TraceError:
        at = self._at if at is None else at
        is_cut = self._is_at_end and (not self._text[at:].strip() or why.startswith("Unterminated"))
        hint = "the file ends in the middle; it may be cut off" if is_cut else why[:1].lower() + why[1:]
        return self._error(f"not valid JSON: {hint}", at=at)

    def _error(self, what: str, *, at: int | None = None) -> TraceError:
        line, column = self._place(self._text[: self._at if at is None else at])
        return TraceError(f"{self._source}:{line}:{column}: {what}.")
