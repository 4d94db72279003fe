"""The items that a run has collected: those without a report of their own are reported, too."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.integration.running import marked_tests
from pytest_refinery.integration.running.items import ExpectationItem
from pytest_refinery.integration.workers import shared_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from pytest_refinery.analysis.records import ItemRecord

_FILE = "collected.json"


class Collected:
    """Keeps the items of this process; a worker leaves their records in the folder that it shares."""

    def __init__(self, config: pytest.Config) -> None:
        self._folder = shared_folder(config)
        self._items: Sequence[pytest.Item] = ()

    def add(self, items: Sequence[pytest.Item]) -> None:
        """Keep what was collected and not deselected."""
        if self._folder is None:
            self._items = tuple(items)
            return
        # All workers collect the same. One on another machine has the name of the folder, not the folder.
        with suppress(OSError), (self._folder / _FILE).open("x", encoding="utf-8") as file:
            json.dump([record.model_dump(mode="json") for record in _records(items)], file)

    def missing(self, known: Collection[str], folder: Path | None) -> Iterator[ItemRecord]:
        """Yield the blank records of the items that have none among ``known``, by node id.

        On the controller of workers they are in their ``folder``.
        """
        from pytest_refinery.analysis.records import ItemRecord

        if folder is None:
            yield from (record for record in _records(self._items) if record.nodeid not in known)
            return
        with suppress(OSError, ValueError):
            for data in json.loads((folder / _FILE).read_text(encoding="utf-8")):
                if data["nodeid"] not in known:
                    yield ItemRecord.model_validate(data)


def _records(items: Sequence[pytest.Item]) -> Iterator[ItemRecord]:
    for item in items:
        if isinstance(item, ExpectationItem):
            yield item.blank_record()
        else:
            # A mark that no one can read fails its test, where it runs.
            with suppress(pytest.fail.Exception):
                mark = marked_tests.read(item)
                if mark is not None:
                    yield mark.blank_record()
