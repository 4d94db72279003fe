from __future__ import annotations

import random
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysts.model.replies import unread_runs
from pytest_refinery.digest import grouping, render
from tests.fakes import make_trace
from tests.openai_server import retrieval

if TYPE_CHECKING:
    from pytest_refinery.digest.grouping import Group

TEXTS = [" ".join(f"word{run}x{place}" for place in range(120)) for run in range(6)]


def whole(*texts: str) -> Group:
    (group,) = grouping.group(render.digest(make_trace(*texts)), disable_chunking=True)
    return group


def test_the_whole_text_covers_every_run() -> None:
    group = whole(*TEXTS)
    assert unread_runs(group, [group.text]) == ()


def test_nothing_covers_nothing() -> None:
    group = whole(*TEXTS)
    assert unread_runs(group, []) == group.run_ids
    assert unread_runs(group, ["", "a text from elsewhere"]) == group.run_ids


def test_a_run_of_which_the_end_is_missing_is_unread() -> None:
    group = whole(*TEXTS)
    cut = group.text.index("word3x110")
    assert unread_runs(group, [group.text[:cut]]) == ("r4", "r5", "r6")
    assert unread_runs(group, [group.text[cut:]]) == ("r1", "r2", "r3", "r4")


@given(seed=st.integers(0, 10_000), size=st.integers(100, 400), left_out=st.integers(0, 3))
def test_chunks_in_any_order_cover_exactly_what_they_hold(seed: int, size: int, left_out: int) -> None:
    group = whole(*TEXTS)
    chunks = list(retrieval.chunked(group.text, size=size, overlap=0, count=lambda text: len(text) // 4))
    random.Random(seed).shuffle(chunks)  # noqa: S311  (an order)
    kept = chunks[left_out:]
    missing = "".join(" ".join(chunks[:left_out]).split())
    unread = unread_runs(group, [" ".join(chunk.split()) for chunk in kept])
    assert (unread == ()) == ("word" not in missing and "#" not in missing)


def test_a_run_in_pieces_counts_in_the_group_that_holds_the_piece() -> None:
    digest = render.digest(make_trace(" ".join(f"w{place}" for place in range(4_000))))
    groups = grouping.group(digest, group_tokens=2_000)
    assert len(groups) > 2
    for group in groups:
        assert unread_runs(group, [group.text]) == ()
        assert unread_runs(group, [group.text[:-200]]) == ("r1",)
