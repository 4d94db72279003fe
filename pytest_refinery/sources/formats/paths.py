"""Paths into JSON values: ``a.b`` descends, ``a|b`` takes the first that is there, ``a.*`` stands for all of a list."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALL = "*"


def at(value: object, path: str) -> Any:  # noqa: ANN401  (any JSON value)
    """Return the first value that ``path`` leads to, ``None`` where there is none."""
    for steps in _alternatives(path):
        if found := _found(value, steps):
            return found[0]
    return None


def each(value: object, path: str) -> Iterator[Any]:
    """Yield the values of the first alternative of ``path`` that leads to any."""
    for steps in _alternatives(path):
        if found := _found(value, steps):
            yield from found
            return


@cache
def first_keys(path: str) -> frozenset[str]:
    """Return the keys of which a mapping has one, if ``path`` leads anywhere in it."""
    return frozenset(steps[0] for steps in _alternatives(path) if steps)


@cache
def _alternatives(path: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(alternative.split(".")) if alternative else () for alternative in path.split("|"))


def _found(value: object, steps: tuple[str, ...]) -> list[object]:
    found = [value]
    for step in steps:
        if step == _ALL:
            found = [inner for item in found if isinstance(item, list) for inner in item]
        else:
            found = [_member(item, step) for item in found]
    return [item for item in found if item is not None]


def _member(value: object, step: str) -> object:
    # A dict is the usual case, and asking for any other mapping is slow.
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list):
        return value[int(step)] if step.isdecimal() and int(step) < len(value) else None
    return value.get(step) if isinstance(value, Mapping) else None
