"""Which JSON values can be worked with: not nested without end, and writable as UTF-8."""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
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


def is_too_deep(value: Json) -> bool:
    """Tell whether a value is nested more than ``DEEPEST`` levels deep."""
    layer: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST):
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
