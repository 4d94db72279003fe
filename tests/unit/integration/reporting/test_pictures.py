from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.analysis import pictures
from pytest_refinery.integration.reporting.pictures import PictureCollector, PictureStore
from pytest_refinery.reports.page.render import render
from tests import reported
from tests.fakes import make_case

if TYPE_CHECKING:
    from collections.abc import Callable

ITEM = reported.item()


def a_report(nodeid: str = ITEM.nodeid, **brought: Any) -> Any:  # noqa: ANN401  (stands for pytest's)
    return SimpleNamespace(nodeid=nodeid, **brought)


def test_what_is_kept_goes_along_with_the_report_that_has_the_record() -> None:
    collector = PictureCollector(is_wanted=True)
    collector.draw(ITEM, make_case("Done."))
    collector.spent(70)
    setup, call = a_report(), a_report(refinery={"nodeid": ITEM.nodeid})
    collector.to_report(setup)
    collector.to_report(call)
    assert vars(setup) == {"nodeid": ITEM.nodeid}
    assert json.loads(call.refinery_picture[1])["values"] == ['{"output": "Done."}']
    assert [tokens for _, tokens in call.refinery_spent] == [70]


def test_a_trace_of_many_items_is_drawn_and_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    collector, store, case = PictureCollector(is_wanted=True), PictureStore(), make_case("Done.")
    items = [ITEM, ITEM.model_copy(update={"nodeid": "other"})]
    reports = [a_report(item.nodeid, refinery={"nodeid": item.nodeid}) for item in items]
    for item, report in zip(items, reports, strict=True):
        collector.draw(item, case)
        collector.to_report(report)
        store.take(report, item.nodeid)
        monkeypatch.setattr(pictures, "draw", raising(AssertionError("drawn again")))
    assert reports[0].refinery_picture[1]
    assert reports[1].refinery_picture == (reports[0].refinery_picture[0], None)
    report = reported.report().model_copy(update={"expectations": tuple(items)})
    assert render(report, store.kept(limit=pytest.fail)).count('data-picture="picture-1"') == 2


def test_nothing_goes_along_twice() -> None:
    collector = PictureCollector(is_wanted=True)
    collector.draw(ITEM, make_case("Done."))
    collector.spent(70)
    collector.to_report(a_report(refinery={"nodeid": ITEM.nodeid}))
    teardown = a_report(refinery={"nodeid": ITEM.nodeid})
    collector.to_report(teardown)
    assert vars(teardown) == {"nodeid": ITEM.nodeid, "refinery": {"nodeid": ITEM.nodeid}}


def test_where_no_page_is_wanted_nothing_is_kept() -> None:
    collector = PictureCollector(is_wanted=False)
    collector.draw(ITEM, make_case("Done."))
    collector.spent(70)
    call = a_report(refinery={"nodeid": ITEM.nodeid})
    collector.to_report(call)
    assert vars(call) == {"nodeid": ITEM.nodeid, "refinery": {"nodeid": ITEM.nodeid}}


def raising(error: BaseException) -> Callable[..., None]:
    def draw(*_: object, **__: object) -> None:
        raise error

    return draw


def test_whatever_goes_wrong_while_drawing_costs_the_picture_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    collector, call = PictureCollector(is_wanted=True), a_report(refinery={"nodeid": ITEM.nodeid})
    collector.draw(ITEM, make_case("Done."))
    monkeypatch.setattr(pictures, "draw", raising(pytest.fail.Exception("the time is up")))
    collector.draw(ITEM, make_case("Done again."))
    collector.to_report(call)
    assert not hasattr(call, "refinery_picture")


def test_a_trace_that_takes_too_long_to_draw_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()
    monkeypatch.setattr(pictures, "draw", lambda *_, **__: given_up.wait(60))
    collector, call = PictureCollector(is_wanted=True, seconds=0.01), a_report(refinery={"nodeid": ITEM.nodeid})
    collector.draw(ITEM, make_case("Done."))
    collector.to_report(call)
    given_up.set()
    assert not hasattr(call, "refinery_picture")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), pytest.exit.Exception("enough")])
def test_what_ends_the_run_ends_the_drawing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    monkeypatch.setattr(pictures, "draw", raising(error))
    with pytest.raises(type(error)):
        PictureCollector(is_wanted=True).draw(ITEM, make_case("Done."))


def test_the_gallery_asks_for_the_limit_only_where_something_was_spent() -> None:
    store = PictureStore()
    assert "Tokens of the last minute" not in render(reported.report(), store.kept(limit=pytest.fail))
    store.take(a_report(refinery_picture=("p", reported.picture()), refinery_spent=[[5.0, 70]]), ITEM.nodeid)
    page = render(reported.report(), store.kept(limit=lambda: 30_000))
    assert "70 at most, under a limit of 30,000" in page
    assert 'id="picture-1"' in page
