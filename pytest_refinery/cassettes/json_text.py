"""JSON as text: read without losing anything, and written again as it was spaced."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from pytest_refinery.traces import json_values

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Json

Layout: TypeAlias = str
"""How JSON was written: words of ``spaced``, ``indented``, ``ascii``, ``line``, ``crlf``; tightly without any."""

_SPACINGS: dict[str, dict[str, Any]] = {
    "": {"separators": (",", ":")},
    "spaced": {"separators": (", ", ": ")},
    "indented": {"indent": 2},
}
# Deeper ones would be indented off the page, and are no fare for a YAML parser.
_DEEPEST = 40


def strictly_parsed(content: bytes) -> Json:
    """Return the value of a JSON text that can be written again.

    Raises:
        ValueError: It is none, or not all of it would survive: a key that stands there twice, a number beyond what JSON
            knows, half a character, a value nested too deep.
    """
    try:
        text = content.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_finite, parse_float=_finite)
        if "\\u" in text:
            # Half a surrogate pair can be read, but not written.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        msg = "nested too deep"
        raise ValueError(msg) from None
    if json_values.is_too_deep(value, most=_DEEPEST):
        msg = "nested too deep"
        raise ValueError(msg)
    return cast("Json", value)


def layout_of(value: Json, content: bytes) -> Layout | None:
    """Return the layout in which ``written`` gives ``content`` again, ``None`` where there is none."""
    end = " line" if content.endswith(b"\n") else ""
    alphabets = ("", " ascii") if content.isascii() else ("",)
    likely = ("indented", "", "spaced") if b"\n" in content.rstrip(b"\n") else ("", "spaced", "indented")
    layouts = (f"{spacing}{alphabet}{end}".strip() for spacing in likely for alphabet in alphabets)
    return next((layout for layout in layouts if written(value, layout).encode() == content), None)


def written(value: Json, layout: Layout) -> str:
    """Return a value as JSON text."""
    words = layout.split()
    spacing = next((word for word in words if word in _SPACINGS), "")
    text = json.dumps(value, ensure_ascii="ascii" in words, **_SPACINGS[spacing])
    return text + "\n" if "line" in words else text


def canonical(value: Json) -> str:
    """Return the one text of all values that mean the same."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _finite(text: str) -> float:
    number = float(text)
    if math.isfinite(number):
        return number
    msg = f"{text} is no number of JSON"
    raise ValueError(msg)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        msg = "a key stands there twice"
        raise ValueError(msg)
    return found
