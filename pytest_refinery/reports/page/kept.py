"""What the page shows beside the records, kept in the folder of a report, so that the page can be written again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_refinery.analysis.ports import Spending

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = "pictures.json"


@dataclass(frozen=True)
class Kept:
    """Pictures and the curve of one report.

    Attributes:
        pictures: The picture of an item's trace as JSON, by node id.
        spendings: What was spent when.
        limit: Tokens per minute; ``None`` where nothing was spent.
    """

    pictures: Mapping[str, str] = field(default_factory=dict)
    spendings: tuple[Spending, ...] = ()
    limit: int | None = None

    def dump(self) -> str | None:
        """Return all of it as JSON, each picture once; ``None`` where there is nothing."""
        places = {text: place for place, text in enumerate(dict.fromkeys(self.pictures.values()))}
        items = {nodeid: places[text] for nodeid, text in self.pictures.items()}
        spent = [[each.at, each.tokens] for each in self.spendings]
        known = {"pictures": list(places), "items": items, "spendings": spent, "limit": self.limit}
        return json.dumps(known) if items or spent else None


def read(folder: Path) -> Kept:
    """Return what a report's folder has; nothing where it was written without, or is damaged."""
    try:
        known = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Kept()
    return Kept(
        {nodeid: known["pictures"][place] for nodeid, place in known["items"].items()},
        tuple(Spending(at, tokens) for at, tokens in known.get("spendings", ())),
        known.get("limit"),
    )
