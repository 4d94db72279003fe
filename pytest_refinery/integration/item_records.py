"""The record of an item's current attempt, kept on the item: running writes it, reporting reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.analysis.tapes import TapeRecord
    from pytest_refinery.traces.source import TraceSource

_RECORD: pytest.StashKey[ItemRecord] = pytest.StashKey()
_TAPE: pytest.StashKey[TapeRecord] = pytest.StashKey()
# Who loads traces for an item: that of its folder, or of its open cassette.
SOURCE: pytest.StashKey[TraceSource] = pytest.StashKey()
# What no handler of ours may keep from ending the run.
ENDS_THE_RUN = (KeyboardInterrupt, pytest.exit.Exception)


def store_record(item: pytest.Item, record: ItemRecord) -> None:
    """Keep the record of the item's current attempt."""
    item.stash[_RECORD] = record


def find_record(item: pytest.Item) -> ItemRecord | None:
    """Return the record of the item's current attempt, ``None`` where it is none of ours."""
    return item.stash.get(_RECORD, None)


def record_of(item: pytest.Item) -> ItemRecord:
    """Return the record of the item's current attempt."""
    return item.stash[_RECORD]


def store_cassette_record(item: pytest.Item, record: TapeRecord) -> None:
    """Keep what came of the item's cassette."""
    item.stash[_TAPE] = record


def take_cassette_record(item: pytest.Item) -> TapeRecord | None:
    """Return what came of the item's cassette, once."""
    record = item.stash.get(_TAPE, None)
    if record is not None:
        del item.stash[_TAPE]
    return record
