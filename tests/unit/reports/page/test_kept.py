from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pytest_refinery.analysis.ports import Spending
from pytest_refinery.reports.page import kept
from pytest_refinery.reports.page.kept import Kept

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_read_as_it_was_and_holds_each_picture_once(tmp_path: Path) -> None:
    known = Kept({"a": "{1}", "b": "{1}", "c": "{2}"}, (Spending(1.5, 70),), 30_000)
    text = known.dump()
    assert text is not None
    assert json.loads(text)["pictures"] == ["{1}", "{2}"]
    (tmp_path / kept.FILE).write_text(text, encoding="utf-8")
    assert kept.read(tmp_path) == known


def test_a_report_without_it_or_of_an_earlier_version_has_a_page_too(tmp_path: Path) -> None:
    assert kept.read(tmp_path) == Kept()
    assert Kept().dump() is None
    (tmp_path / kept.FILE).write_text('{"pictures": ["{1}"], "items": {"a": 0}}', encoding="utf-8")
    assert kept.read(tmp_path) == Kept({"a": "{1}"})


def test_one_that_was_cut_off_costs_the_pictures_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / kept.FILE).write_bytes(b'{"pictures": ["\xff')
    assert kept.read(tmp_path) == Kept()
