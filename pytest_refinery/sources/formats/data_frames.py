"""Tables that pandas wrote as JSON column by column, as their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_refinery.sources.formats.json_stream import Piece

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FEWEST = 3


def unrolled(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield pieces as they are, the rows of tables instead of these."""
    for piece in pieces:
        rows = _rows(piece.value) if piece.key is None and isinstance(piece.value, dict) else None
        if rows is None:
            yield piece
        else:
            yield from (Piece(None, row) for row in rows)


def _rows(value: dict[str, Any]) -> list[Any] | None:
    """Return the rows of a table that is written by columns, by index, or split; ``None`` where it is no table."""
    if value.keys() == {"columns", "index", "data"} and all(isinstance(item, list) for item in value.values()):
        rows = [dict(zip(value["columns"], row, strict=False)) for row in value["data"] if isinstance(row, list)]
        return [_indexed(row, index) for row, index in zip(rows, value["index"], strict=False)]
    columns = {name: member for name, member in value.items() if member or isinstance(member, dict)}
    if _are_numbered(columns.values()):
        # A column that is null says nothing of any row.
        value = columns
    members = [*value.values()]
    if len(members) < _FEWEST or not all(isinstance(member, dict) for member in members):
        return _by_index(value, members)
    indexes = members[0].keys()
    if not indexes or any(member.keys() != indexes for member in members):
        return _by_index(value, members)
    is_by_index = all(key.isdecimal() for key in value)
    if is_by_index:
        return _by_index(value, members)
    return [_indexed({name: column[index] for name, column in value.items()}, index) for index in indexes]


def _are_numbered(columns: Iterable[Any]) -> bool:
    """Tell whether columns have rows by their numbers, as tables have by default."""
    return all(isinstance(column, dict) and column and all(map(str.isdecimal, column)) for column in columns)


def _by_index(value: dict[str, Any], members: list[Any]) -> list[Any] | None:
    is_table = bool(members) and all(isinstance(member, dict) for member in members) and all(map(str.isdecimal, value))
    return members if is_table else None


def _indexed(row: dict[str, Any], index: object) -> dict[str, Any]:
    """Return a row with the id that Phoenix keeps in the index of its tables."""
    is_span = "context.trace_id" in row and "context.span_id" not in row
    return {**row, "context.span_id": index} if is_span else row
