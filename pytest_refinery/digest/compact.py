"""JSON values on one line, without null fields, with references for what is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Deeper values are written by ``json`` as they are.
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Compact:
    """Writes values.

    Attributes:
        text: Writes a string: quoted, or as a reference.
        reference: Writes an object as a reference, or returns ``None`` where it is not known.
    """

    text: Callable[[str], str]
    reference: Callable[[Mapping[str, Any]], str | None]

    def write(self, value: object, depth: int = 0) -> str:
        """Return ``value`` on one line; what is no JSON by its ``str()``."""
        if isinstance(value, str):
            return self.text(value)
        if depth < _DEEPEST and isinstance(value, Mapping):
            return self.reference(value) or f"{{{','.join(self._fields(value, depth))}}}"
        if depth < _DEEPEST and isinstance(value, list | tuple):
            return f"[{','.join(self.write(item, depth + 1) for item in value)}]"
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)

    def _fields(self, value: Mapping[str, Any], depth: int) -> list[str]:
        return [f"{quoted(str(key))}:{self.write(item, depth + 1)}" for key, item in value.items() if item is not None]


def quoted(text: str) -> str:
    """Return ``text`` as a JSON string."""
    return json.dumps(text, ensure_ascii=False)
