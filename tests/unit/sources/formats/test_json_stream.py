from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.formats import json_stream
from pytest_refinery.sources.formats.json_stream import Piece, pieces

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_refinery.traces.model import Json

WRAPPERS = frozenset({"runs", "messages"})
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
OBJECTS = st.dictionaries(st.sampled_from(["runs", "messages", "id", "x"]), VALUES | st.lists(VALUES), max_size=4)
same_file = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def read(path: Path, text: str | bytes) -> list[Piece]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(pieces(path, wrappers=WRAPPERS))


def read_in_chunks(path: Path, text: str, size: int) -> list[Piece]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", size)
        return read(path, text)


def refusal(path: Path, text: str | bytes) -> str:
    with pytest.raises(TraceError) as caught:
        read(path, text)
    return str(caught.value).removeprefix(str(path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trace.json"


def test_the_elements_of_a_list_come_one_by_one(path: Path) -> None:
    assert read(path, '[1, {"a": 2}, []]') == [Piece(None, 1), Piece(None, {"a": 2}), Piece(None, [])]


def test_an_object_comes_after_the_elements_of_its_wrapped_lists(path: Path) -> None:
    found = read(path, '{"total": 2, "runs": [{"id": "a"}, {"id": "b"}]}')
    assert found == [Piece("runs", {"id": "a"}), Piece("runs", {"id": "b"}), Piece(None, {"total": 2, "runs": []})]


def test_a_wrapper_that_holds_no_list_stays_in_its_object(path: Path) -> None:
    assert read(path, '{"runs": null, "messages": {"0": 1}}') == [Piece(None, {"runs": None, "messages": {"0": 1}})]


def test_each_line_of_json_lines_is_a_piece(path: Path) -> None:
    assert read(path, '{"id": 1}\r\n\n{"id": 2}\n') == [Piece(None, {"id": 1}), Piece(None, {"id": 2})]


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff", "[]", '{"runs": []}'])
def test_a_file_without_values_has_no_runs_in_it(path: Path, text: str) -> None:
    assert [piece for piece in read(path, text) if piece.value != {"runs": []}] == []


def test_a_byte_order_mark_is_passed_over(path: Path) -> None:
    assert read(path, b"\xef\xbb\xbf[1]") == [Piece(None, 1)]


@given(values=st.lists(VALUES, max_size=5), size=st.integers(1, 9), indent=st.sampled_from([None, 0, 2]))
@same_file
def test_a_chunk_may_end_anywhere_in_a_list(path: Path, values: list[Json], size: int, indent: int | None) -> None:
    found = read_in_chunks(path, json.dumps(values, indent=indent), size)
    assert found == [Piece(None, value) for value in values]


@given(value=OBJECTS, size=st.integers(1, 9))
@same_file
def test_a_chunk_may_end_anywhere_in_an_object(path: Path, value: dict[str, object], size: int) -> None:
    assert read_in_chunks(path, json.dumps(value), size) == read(path, json.dumps(value))


@given(values=st.lists(OBJECTS, max_size=4), size=st.integers(1, 9))
@same_file
def test_a_chunk_may_end_anywhere_in_json_lines(path: Path, values: list[object], size: int) -> None:
    lines = "\n".join(json.dumps(value, ensure_ascii=False) for value in values)
    assert read_in_chunks(path, lines, size) == read(path, lines)


@pytest.mark.parametrize("number", ["1.5", "-0.25", "1e5", "1E+5", "12.5e-3", "-7"])
@pytest.mark.parametrize("size", range(1, 8))
def test_a_number_may_be_cut_by_a_chunk(path: Path, number: str, size: int) -> None:
    assert read_in_chunks(path, f"[{number},{number}]", size) == [Piece(None, float(number))] * 2


@given(values=st.lists(VALUES, max_size=4))
@same_file
def test_gzip_makes_no_difference(path: Path, values: list[object]) -> None:
    text = json.dumps(values)
    assert read(path, gzip.compress(text.encode())) == read(path, text)


@given(values=st.lists(OBJECTS, min_size=1, max_size=3), data=st.data())
@same_file
def test_a_list_that_is_cut_off_is_refused_with_its_place(
    path: Path, values: list[object], data: st.DataObject
) -> None:
    text = json.dumps(values, indent=1)
    cut = text[: data.draw(st.integers(1, len(text) - 1))]
    assert ": not valid JSON: " in refusal(path, cut)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", ":1:1: not valid JSON: expecting value."),
        ("[1, 2", ":1:6: not valid JSON: the file ends in the middle; it may be cut off."),
        ('[{"id": "a"},\n {"id": "b', ":2:9: not valid JSON: the file ends in the middle; it may be cut off."),
        ('{"runs": [1', ":1:12: not valid JSON: the file ends in the middle; it may be cut off."),
        ("[1 2]", ":1:4: not valid JSON: expected , or ]."),
        ("{runs: []}", ":1:2: not valid JSON: a key in double quotes is missing."),
        ('{"runs" []}', ":1:9: not valid JSON: expected :."),
        ('[\n\n  {"a": tru}]', ":3:9: not valid JSON: expecting value."),
        ("]", ":1:1: not valid JSON: expecting value."),
    ],
)
def test_what_is_no_json_is_refused_with_line_and_column(path: Path, text: str, said: str) -> None:
    assert refusal(path, text) == said


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_the_place_of_an_error_does_not_depend_on_chunks(path: Path, size: int) -> None:
    with pytest.raises(TraceError, match=r":3:6: not valid JSON: expected , or ]\."):
        read_in_chunks(path, '[\n {"a": 1},\n 2.5 x]', size)


def test_other_encodings_are_refused(path: Path) -> None:
    assert refusal(path, '["é"]'.encode("latin-1")).startswith(": not UTF-8 (")
    assert refusal(path, "[1]".encode("utf-16")).startswith(": not UTF-8 (")


def test_gzip_data_that_is_cut_off_or_damaged_is_refused(path: Path) -> None:
    data = gzip.compress(json.dumps([f"text {number}" for number in range(500)]).encode())
    broken = bytearray(data)
    broken[len(data) // 2 : len(data) // 2 + 20] = b"\xff" * 20
    for damaged in (data[:-9], data[: len(data) // 2], bytes(broken)):
        assert refusal(path, damaged).startswith(": the gzip data is damaged or cut off (")


@pytest.mark.parametrize("depth", [160, 100_000])
def test_endless_nesting_is_refused(path: Path, depth: int) -> None:
    said = refusal(path, "[" * depth + "]" * depth)
    assert said == ":1:2: nested more than 150 levels deep; a trace is not."


def test_nesting_that_traces_have_is_read(path: Path) -> None:
    assert len(read(path, "[" + "[" * 100 + "]" * 100 + "]")) == 1


def test_a_number_of_ten_thousand_digits_is_refused(path: Path) -> None:
    assert refusal(path, "[" + "9" * 10_000 + "]").startswith(":1:2: not valid JSON: exceeds the limit (")


@pytest.mark.parametrize(
    ("escaped", "read_as"),
    [
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\uD83D\uDE00", "\U0001f600"),
        (r"cut \ud83d", "cut ?"),
        (r"\ude00 alone", "? alone"),
        (r"\ud83d\ud83d\ude00", "?\U0001f600"),
        (r"\\ud83d", r"\ud83d"),
    ],
)
def test_every_text_that_is_read_can_be_written(path: Path, escaped: str, read_as: str) -> None:
    [piece] = read(path, f'[{{"{escaped}": "{escaped}"}}]')
    assert piece.value == {read_as: read_as}
    assert str(piece.value).encode()


def test_a_line_of_a_megabyte_is_read(path: Path) -> None:
    long = "x" * (1 << 20) + "\\u0000\\u001b[31m"
    [piece] = read_in_chunks(path, f'["{long}"]', 1 << 16)
    assert piece.value == "x" * (1 << 20) + "\x00\x1b[31m"


def test_a_file_that_cannot_be_opened_is_the_callers_to_explain(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        list(pieces(tmp_path, wrappers=WRAPPERS))
