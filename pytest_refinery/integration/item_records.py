"""The record of an item's current attempt, kept on the item: running writes it, reporting reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_refinery import wiring
from pytest_refinery.analysis import outgoing

if TYPE_CHECKING:
    from pytest_refinery.analysis.cassette_records import CassetteRecord
    from pytest_refinery.analysis.records import ItemRecord
    from pytest_refinery.scrubbing.scrubber import Scrubber
    from pytest_refinery.traces.source import TraceSource

_RECORD: pytest.StashKey[ItemRecord] = pytest.StashKey()
_TAPE: pytest.StashKey[CassetteRecord] = pytest.StashKey()
_SCRUBBER: pytest.StashKey[Scrubber] = pytest.StashKey()
# Who loads traces for an item: that of its folder, or of its open cassette.
SOURCE: pytest.StashKey[TraceSource] = pytest.StashKey()
# What no handler of ours may keep from ending the run.
ENDS_THE_RUN = (KeyboardInterrupt, pytest.exit.Exception)


def stable_nodeid(item: pytest.Item) -> str:
    """Return the id of an item without the group that pytest-xdist puts behind it under ``--dist loadgroup``."""
    if not item.config.getoption("loadgroup", default=False):
        return item.nodeid
    groups = [str(mark.args[0] if mark.args else mark.kwargs.get("name", "default")) for mark in _groups(item)]
    # Older versions name the nearest group, newer ones all of them.
    ends = ("_".join(sorted(set(groups))), groups[0]) if groups else ()
    end = next((f"@{each}" for each in ends if item.nodeid.endswith(f"@{each}")), "")
    return item.nodeid.removesuffix(end)


def _groups(item: pytest.Item) -> list[pytest.Mark]:
    return list(item.iter_markers("xdist_group"))


def store_record(item: pytest.Item, record: ItemRecord) -> None:
    """Keep the record of the item's current attempt, without secrets: every report is made of it."""
    item.stash[_RECORD] = outgoing.scrubbed_record(record, scrubber_of(item.config))


def scrubber_of(config: pytest.Config) -> Scrubber:
    """Return what takes secrets out of what this process shows."""
    if _SCRUBBER not in config.stash:
        config.stash[_SCRUBBER] = wiring.build_scrubber()
    return config.stash[_SCRUBBER]


def find_record(item: pytest.Item) -> ItemRecord | None:
    """Return the record of the item's current attempt, ``None`` where it is none of ours."""
    return item.stash.get(_RECORD, None)


def record_of(item: pytest.Item) -> ItemRecord:
    """Return the record of the item's current attempt."""
    return item.stash[_RECORD]


def store_cassette_record(item: pytest.Item, record: CassetteRecord) -> None:
    """Keep what came of the item's cassette."""
    item.stash[_TAPE] = record


def take_cassette_record(item: pytest.Item) -> CassetteRecord | None:
    """Return what came of the item's cassette, once."""
    record = item.stash.get(_TAPE, None)
    if record is not None:
        del item.stash[_TAPE]
    return record
