from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.digest.tokens import estimate
from tests.openai_server.retrieval import Chunk, chunked, matches, search

TEXTS = st.text(st.sampled_from("ab \n{}12"), max_size=600)


def chunk(text: str) -> Chunk:
    return Chunk("file-1", "g01.md", text, {})


@given(TEXTS, st.integers(30, 80))
def test_chunks_without_overlap_are_the_text(text: str, size: int) -> None:
    assert "".join(chunked(text, size=size, overlap=0, count=estimate)) == text


@given(TEXTS, st.integers(30, 80), st.integers(0, 40))
def test_no_chunk_is_larger_than_allowed(text: str, size: int, overlap: int) -> None:
    # One piece may be all punctuation, which no tokenizer would cut where we do.
    most = size + 32
    assert all(
        estimate(part) <= most for part in chunked(text, size=size, overlap=min(overlap, size // 2), count=estimate)
    )


def test_a_chunk_starts_with_the_end_of_the_one_before() -> None:
    text = " ".join(f"word{number}" for number in range(10))
    parts = list(chunked(text, size=4, overlap=2, count=lambda _: 1))
    assert [part.split() for part in parts] == [
        ["word0", "word1", "word2", "word3"],
        ["word2", "word3", "word4", "word5"],
        ["word4", "word5", "word6", "word7"],
        ["word6", "word7", "word8", "word9"],
    ]


def test_the_chunk_that_says_what_was_asked_comes_first() -> None:
    chunks = [chunk("the weather is fine"), chunk("order #W12 was cancelled"), chunk("the order")]
    hits = search("why was the order cancelled", chunks, most=2)
    assert [hit.chunk.text for hit in hits] == ["order #W12 was cancelled", "the order"]
    assert 1 > hits[0].score > hits[1].score > 0


def test_what_matches_nothing_is_found_last_unless_a_threshold_is_set() -> None:
    chunks = [chunk("nothing of it"), chunk("cancelled")]
    assert len(search("cancelled", chunks, most=50)) == 2
    assert len(search("cancelled", chunks, most=50, threshold=0.01)) == 1


@pytest.mark.parametrize(
    ("comparison", "value", "expected"),
    [
        ("eq", "g01", True),
        ("eq", "g02", False),
        ("ne", "g02", True),
        ("in", ["g01", "g02"], True),
        ("nin", ["g01", "g02"], False),
        ("gt", "g00", True),
        ("lt", "g00", False),
        ("gte", 1, False),
    ],
)
def test_a_comparison_looks_at_one_attribute(comparison: str, value: object, expected: object) -> None:
    assert matches({"type": comparison, "key": "group", "value": value}, {"group": "g01"}) is expected


@pytest.mark.parametrize(("comparison", "expected"), [("gt", False), ("gte", True), ("lt", False), ("lte", True)])
def test_numbers_are_compared_as_numbers(comparison: str, expected: object) -> None:
    assert matches({"type": comparison, "key": "part", "value": 2}, {"part": 2}) is expected


def test_a_missing_attribute_equals_nothing() -> None:
    assert not matches({"type": "eq", "key": "role", "value": "trace"}, {})
    assert matches({"type": "ne", "key": "role", "value": "trace"}, {})


def test_filters_combine() -> None:
    group = {"type": "eq", "key": "group", "value": "g01"}
    role = {"type": "eq", "key": "role", "value": "prompt"}
    attributes = {"group": "g01", "role": "trace"}
    assert matches({"type": "or", "filters": [role, group]}, attributes)
    assert not matches({"type": "and", "filters": [role, group]}, attributes)
    assert matches({"type": "and", "filters": [group, {"type": "or", "filters": [group, role]}]}, attributes)
    assert matches(None, attributes)
