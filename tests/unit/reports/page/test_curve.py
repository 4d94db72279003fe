from __future__ import annotations

import re

from pytest_refinery.analysis.ports import Spending
from pytest_refinery.reports.page.curve import HEIGHT, WIDTH, Curve, curve


def drawn(*spent: tuple[float, int], limit: int | None = 1_000) -> Curve:
    found = curve([Spending(at, tokens) for at, tokens in spent], limit=limit)
    assert found is not None
    return found


def corners(found: Curve) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"H([\d.]+)V([\d.]+)", found.area)]


def test_nothing_spent_is_no_plot() -> None:
    assert curve([], limit=1_000) is None


def test_a_request_counts_for_a_minute_from_its_answer() -> None:
    found = drawn((1_000.0, 400), limit=400)
    assert corners(found) == [(0.0, found.limit_y), (WIDTH, HEIGHT)]
    assert (found.seconds, found.peak, found.tokens) == (60.0, 400, 400)


def test_requests_of_one_minute_add_up_whatever_order_they_came_in() -> None:
    found = drawn((30.0, 300), (0.0, 500), (100.0, 100))
    assert (found.peak, found.tokens, found.seconds) == (800, 900, 160.0)
    assert [round(x / WIDTH * 160) for x, _ in corners(found)] == [0, 30, 60, 90, 100, 160]


def test_a_request_that_takes_the_place_of_another_does_not_count_beside_it() -> None:
    assert drawn((0.0, 1_000), (60.0, 1_000)).peak == 1_000


def test_the_limit_and_the_peak_fit_into_the_box() -> None:
    for found in (drawn((0.0, 10)), drawn((0.0, 90_000)), drawn((0.0, 10), limit=None)):
        assert 0 < found.limit_y <= HEIGHT
        assert all(0 <= y <= HEIGHT for _, y in corners(found))
