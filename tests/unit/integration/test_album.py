from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.analysis import pictures
from pytest_refinery.integration.album import Album, Gallery
from tests import reported
from tests.fakes import make_case

if TYPE_CHECKING:
    from collections.abc import Callable

ITEM = reported.item()


def a_report(nodeid: str = ITEM.nodeid, **brought: Any) -> Any:  # noqa: ANN401  (stands for pytest's)
    return SimpleNamespace(nodeid=nodeid, **brought)


def test_what_is_kept_goes_along_with_the_report_that_has_the_record() -> None:
    album = Album(is_wanted=True)
    album.draw(ITEM, make_case("Done."))
    album.spent(70)
    setup, call = a_report(), a_report(refinery={})
    album.to_report(setup)
    album.to_report(call)
    assert vars(setup) == {"nodeid": ITEM.nodeid}
    assert json.loads(call.refinery_picture)["values"] == ['{"output": "Done."}']
    assert [tokens for _, tokens in call.refinery_spent] == [70]


def test_nothing_goes_along_twice() -> None:
    album = Album(is_wanted=True)
    album.draw(ITEM, make_case("Done."))
    album.spent(70)
    album.to_report(a_report(refinery={}))
    teardown = a_report(refinery={})
    album.to_report(teardown)
    assert vars(teardown) == {"nodeid": ITEM.nodeid, "refinery": {}}


def test_where_no_page_is_wanted_nothing_is_kept() -> None:
    album = Album(is_wanted=False)
    album.draw(ITEM, make_case("Done."))
    album.spent(70)
    call = a_report(refinery={})
    album.to_report(call)
    assert vars(call) == {"nodeid": ITEM.nodeid, "refinery": {}}


def raising(error: BaseException) -> Callable[..., None]:
    def draw(*_: object, **__: object) -> None:
        raise error

    return draw


def test_whatever_goes_wrong_while_drawing_costs_the_picture_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    album, call = Album(is_wanted=True), a_report(refinery={})
    album.draw(ITEM, make_case("Done."))
    monkeypatch.setattr(pictures, "draw", raising(pytest.fail.Exception("the time is up")))
    album.draw(ITEM, make_case("Done again."))
    album.to_report(call)
    assert not hasattr(call, "refinery_picture")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), pytest.exit.Exception("enough")])
def test_what_ends_the_run_ends_the_drawing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    monkeypatch.setattr(pictures, "draw", raising(error))
    with pytest.raises(type(error)):
        Album(is_wanted=True).draw(ITEM, make_case("Done."))


def test_the_gallery_asks_for_the_limit_only_where_something_was_spent() -> None:
    gallery = Gallery()
    assert "Tokens of the last minute" not in gallery.page(reported.report(), limit=pytest.fail)
    gallery.take(a_report(refinery_picture=reported.picture(), refinery_spent=[[5.0, 70]]))
    page = gallery.page(reported.report(), limit=lambda: 30_000)
    assert "70 at most, under a limit of 30,000" in page
    assert 'id="picture-1"' in page
