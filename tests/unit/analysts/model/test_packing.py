from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysts.model import packing

LIMITS = st.integers(1_000, 2_000_000)
SIZES = st.integers(0, 300_000)


@pytest.mark.parametrize(
    ("limit", "digest", "groups"),
    [
        (30_000, 4_000, 1),
        (30_000, 9_000, 1),
        (30_000, 16_500, 2),
        (30_000, 22_000, 2),
        (200_000, 16_500, 1),
        (10_000, 16_500, 4),
    ],
)
def test_a_trace_is_cut_where_that_costs_less_than_it_saves(limit: int, digest: int, groups: int) -> None:
    size = packing.group_tokens(limit=limit, overhead=2_500, digest_tokens=digest, refills=False)
    assert ceil(digest / size) == groups


def test_a_trace_that_fits_one_call_is_not_cut_where_each_group_costs_a_search() -> None:
    size = packing.group_tokens(
        limit=30_000, overhead=2_500, digest_tokens=17_114, refills=False, overhead_if_cut=6_000
    )
    assert ceil(17_114 / size) == 1


@given(LIMITS, SIZES)
def test_a_bucket_loses_nothing_so_groups_are_as_large_as_they_may_be(limit: int, digest: int) -> None:
    size = packing.group_tokens(limit=limit, overhead=2_500, digest_tokens=digest, refills=True)
    assert size == packing.largest_group(limit)


@given(LIMITS, SIZES, st.booleans())
def test_a_group_always_fits_and_is_never_tiny(limit: int, digest: int, refills: bool) -> None:  # noqa: FBT001
    size = packing.group_tokens(limit=limit, overhead=2_500, digest_tokens=digest, refills=refills)
    assert 1_000 <= size <= packing.largest_group(limit) <= max(1_000, limit)


@given(st.integers(10_000, 200_000), SIZES)
def test_the_choice_takes_no_longer_than_any_other(limit: int, digest: int) -> None:
    """By the arithmetic of the module's docstring."""

    def minutes(groups: int) -> float:
        return (digest + groups * 2_500) / (limit - (digest / groups + 2_500) / 2)

    size = packing.group_tokens(limit=limit, overhead=2_500, digest_tokens=digest, refills=False)
    fewest = max(1, ceil(digest / packing.largest_group(limit)))
    chosen = max(fewest, ceil(digest / size))
    assert minutes(chosen) <= 1.05 * min(map(minutes, range(fewest, fewest + 8)))
