"""Makes equal parts of JSON values one object.

Runs repeat the messages of the runs before them; as one object each, a trace takes half the
memory, and whoever walks it less time.
"""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Json

# The last one that writes equal values as equal bytes, whatever else refers to their parts.
_MARSHAL_VERSION = 2


class Shared:
    """Remembers the objects that stood in lists: messages, tools, documents."""

    def __init__(self) -> None:
        self._known: dict[int, Json] = {}

    def of(self, value: Json) -> Json:
        """Return ``value``, changed in place: an object in a list that was seen before is the one seen before."""
        if isinstance(value, dict):
            value.update({key: self.of(item) for key, item in value.items() if isinstance(item, dict | list)})
        elif isinstance(value, list):
            value[:] = [self._one(item) if isinstance(item, dict) else self.of(item) for item in value]
        return value

    def _one(self, value: Json) -> Json:
        known = self._known.setdefault(hash(marshal.dumps(value, _MARSHAL_VERSION)), value)
        return known if known == value else value
