"""Where an item stands on the page: what follows ``#`` in its address."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 300
_UNFIT = re.compile(r"[^\w.:/\[\]=,-]+")
# What the page uses for parts of its own.
_TAKEN = re.compile(r"(overview|summary|causes|comparison|expectations|reading)$|(run|item|picture|title)-")


def counted(nodeids: Iterable[str]) -> Counter[str]:
    """Return how many of the node ids end in each name."""
    return Counter(map(_name, nodeids))


def of(nodeid: str, names: Counter[str]) -> str:
    """Return the name of an item where no other of ``names`` is the same, else its whole node id."""
    name = _name(nodeid)
    return name if names[name] == 1 and name and not _TAKEN.match(name) else whole(nodeid)


def whole(nodeid: str) -> str:
    """Return an anchor that says the whole node id."""
    return f"item-{_UNFIT.sub('_', nodeid[:_LONGEST])}"


def _name(nodeid: str) -> str:
    return _UNFIT.sub("_", nodeid.rpartition("::")[2][:_LONGEST])
