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
    return next(each(value, path), None)


def each(value: object, path: str) -> Iterator[Any]:
    """Yield the values of the first alternative of ``path`` that leads to any."""
    for alternative in _alternatives(path):
        found = [item for item in _walk(value, alternative) if item is not None]
        if found:
            yield from found
            return


@cache
def _alternatives(path: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(alternative.split(".")) if alternative else () for alternative in path.split("|"))


def _walk(value: object, steps: tuple[str, ...]) -> Iterator[object]:
    if not steps:
        yield value
        return
    step, *rest = steps
    if step == _ALL:
        for item in value if isinstance(value, list) else ():
            yield from _walk(item, tuple(rest))
    elif isinstance(value, Mapping):
        yield from _walk(value.get(step), tuple(rest))
    elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
        yield from _walk(value[int(step)], tuple(rest))
