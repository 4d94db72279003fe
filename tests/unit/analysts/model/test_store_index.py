from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.analysts.model.store_index import Entry, NoIndex, StoreIndex

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_written_into_an_entry_is_there_the_next_time(tmp_path: Path) -> None:
    with StoreIndex(tmp_path / "new").opened("abc", timeout=1) as entry:
        entry.store_id = "vs_1"
        entry.files["content"] = "file-1"
    with StoreIndex(tmp_path / "new").opened("abc", timeout=1) as entry:
        assert (entry.store_id, entry.files) == ("vs_1", {"content": "file-1"})
    assert list(StoreIndex(tmp_path / "new").entries()) == ["abc"]


def test_what_was_uploaded_before_an_error_stays_known(tmp_path: Path) -> None:
    index = StoreIndex(tmp_path)

    def fail() -> None:
        with index.opened("abc", timeout=1) as entry:
            entry.uploaded.append("file-1")
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        fail()
    assert index.entries()["abc"].uploaded == ["file-1"]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"unknown": 1}'])
def test_a_damaged_entry_is_a_new_one(tmp_path: Path, damage: str) -> None:
    (tmp_path / "abc.json").write_text(damage, encoding="utf-8")
    with StoreIndex(tmp_path).opened("abc", timeout=1) as entry:
        assert entry == Entry()


def test_nobody_has_an_entry_that_somebody_else_has(tmp_path: Path) -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with StoreIndex(tmp_path).opened("abc", timeout=1) as entry:
            entry.store_id = "vs_1"
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    with StoreIndex(tmp_path).opened("abc", timeout=0.05) as entry:
        assert entry == Entry()
        entry.store_id = "forgotten"
    done.set()
    thread.join()
    assert StoreIndex(tmp_path).entries()["abc"].store_id == "vs_1"


def test_a_folder_that_cannot_be_used_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with StoreIndex(tmp_path / "file" / "folder").opened("abc", timeout=1) as entry:
        assert entry == Entry()


def test_a_trace_can_be_forgotten(tmp_path: Path) -> None:
    index = StoreIndex(tmp_path)
    with index.opened("abc", timeout=1):
        pass
    index.remove("abc")
    assert index.entries() == {}


def test_an_index_that_begins_again_forgets_the_store_and_remembers_what_was_uploaded(tmp_path: Path) -> None:
    with StoreIndex(tmp_path).opened("abc", timeout=1) as entry:
        entry.store_id, entry.files, entry.uploaded = "vs_1", {"content": "file-1"}, ["file-1"]
    with StoreIndex(tmp_path, starts_empty=True).opened("abc", timeout=1) as entry:
        assert (entry.store_id, entry.files, entry.uploaded) == ("", {}, ["file-1"])


def test_no_index_knows_nothing_and_keeps_nothing() -> None:
    for _ in range(2):
        with NoIndex().opened("abc", timeout=1) as entry:
            assert entry == Entry()
            entry.store_id = "vs_1"
