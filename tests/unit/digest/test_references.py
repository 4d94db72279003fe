from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.digest.references import ranges, spans


def test_neighbours_are_spans_and_order_is_kept() -> None:
    assert spans([2, 1, 3, 4, 5, 5]) == "m2,m1,m3-m5,m5"
    assert spans([1], "t") == "t1"
    assert spans([]) == ""


@given(st.lists(st.integers(1, 9)))
def test_ranges_hold_the_same_numbers_in_the_same_order(numbers: list[int]) -> None:
    assert [number for part in ranges(numbers) for number in part] == numbers
