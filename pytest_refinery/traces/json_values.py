"""Which JSON values can be worked with: not nested without end, and writable as UTF-8; and Python's as such."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from pydantic_core import to_jsonable_python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.traces.model import Json

# Real traces stay below 40 levels; what walks them by recursion must not run out of stack.
DEEPEST = 150
_NESTED = frozenset({dict, list})
# Half of an escaped surrogate pair: it can be read, but neither hashed nor written.
_LONE_SURROGATE = re.compile(
    r"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|[c-fC-F][0-9a-fA-F]{2}(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))"
)


def parsed(text: str) -> Json:
    """Return the value that ``text`` holds as JSON, ``None`` where it holds none that can be worked with."""
    try:
        value = cast("Json", json.loads(text))
    except (ValueError, RecursionError):
        return None
    if is_too_deep(value):
        return None
    return writable(value) if has_lone_surrogate(text, 0, len(text)) else value


def mapping(value: object) -> Mapping[str, Any]:
    """Return ``value`` if it is an object of JSON, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[Any]:
    """Return ``value`` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def objects(value: object) -> list[dict[str, Any]]:
    """Return the objects in a list of JSON; of anything else, none."""
    return [item for item in items(value) if isinstance(item, dict)]


def leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Yield the plain values in a JSON value but null, in order, each with the key that it stands under."""
    stack = [(key, value)]
    while stack:
        key, item = stack.pop()
        if isinstance(item, Mapping):
            stack.extend((str(name), member) for name, member in reversed([*item.items()]))
        elif isinstance(item, list | tuple):
            stack.extend((key, member) for member in reversed(item))
        elif item is not None:
            yield key, item


def is_too_deep(value: Json, *, most: int = DEEPEST) -> bool:
    """Tell whether a value is nested more than so many levels deep."""
    layer: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(most):
        members = chain.from_iterable(item.values() if isinstance(item, dict) else item for item in layer)
        # By type, not isinstance: this looks at every value of every trace.
        layer = [member for member in members if type(member) in _NESTED]
        if not layer:
            return False
    return True


def has_lone_surrogate(text: str, start: int, end: int) -> bool:
    """Tell whether JSON text spells half a surrogate pair between two places."""
    return _LONE_SURROGATE.search(text, start, end) is not None


def writable(value: Json) -> Json:
    """Return a value with each half of a surrogate pair in it as a question mark."""
    return cast("Json", json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")))


def plain(value: object) -> Json:
    """Return a Python value as JSON: models and dataclasses as objects, what JSON has no form for as its ``repr``."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _encodable(value)
    try:
        found = cast("Json", to_jsonable_python(value, fallback=_described, bytes_mode="base64"))
    except Exception:  # noqa: BLE001  (it contains itself, or its own serialiser breaks)
        return _described(value)
    return _described(value) if is_too_deep(found) else _encoded(found)


def _encoded(value: Json) -> Json:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError:
        return writable(value)
    return value


def _described(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  (somebody else's code)
        text = object.__repr__(value)
    return _encodable(text)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
