from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_refinery.errors import Problem
from pytest_refinery.expectations import yaml_document
from pytest_refinery.expectations.yaml_document import Document, NotYaml, Place


def read(text: str) -> Document:
    document = yaml_document.read(text)
    assert document is not None
    return document


def problem(text: str) -> Problem:
    with pytest.raises(NotYaml) as caught:
        yaml_document.read(text)
    return caught.value.problem


def test_values_and_keys_have_their_places() -> None:
    document = read("a:\n  b: [x, 'y']\n")
    assert document.value == {"a": {"b": ["x", "y"]}}
    assert document.place(("a", "b", 1)) == Place(2, 10)
    assert document.key_place(("a", "b")) == Place(2, 3)


def test_the_place_of_what_is_missing_is_that_of_the_value_around_it() -> None:
    document = read("a:\n  b: [x]\n")
    assert document.place(("a", "c", "d")) == Place(2, 3)
    assert document.key_place(("a", "b", 0)) == Place(2, 7)


def test_plain_values_are_known_as_they_were_written() -> None:
    document = read("a: 1.50\nb: ~")
    assert document.written == {("a",): "1.50", ("b",): "~"}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\n\n", "\ufeff"])
def test_a_text_without_a_value_is_none(text: str) -> None:
    assert yaml_document.read(text) is None


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1", 1),
        ("-3", -3),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("!!str 1", "1"),
        ("!!int '1'", 1),
    ],
)
def test_numbers_truth_and_nothing_are_values(written: str, value: object) -> None:
    assert read(f"a: {written}").value == {"a": value}


@pytest.mark.parametrize(
    "written", ["yes", "No", "on", "off", "2026-01-05", "12:30", "0123", "1_000", "0x1F", "-", "."]
)
def test_words_dates_times_and_odd_numbers_are_texts(written: str) -> None:
    assert read(f"a: {written}" if written != "-" else "a: '-'").value == {"a": written}


def test_an_alias_stands_for_its_anchor() -> None:
    document = read("a: &x {n: 1}\nb: *x\n")
    assert document.value == {"a": {"n": 1}, "b": {"n": 1}}
    assert document.place(("b", "n")) == Place(1, 11)


def test_merged_keys_give_way_to_own_keys_and_earlier_ones_win() -> None:
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 3\n"
    document = read(text)
    assert document.value == {"x": {"a": 1, "b": 1}, "y": {"b": 2, "c": 2}, "z": {"a": 3, "b": 1, "c": 2}}
    assert (document.key_place(("z", "a")), document.key_place(("z", "c"))) == (Place(5, 3), Place(2, 14))
    assert document.problems == ()


@pytest.mark.parametrize("merged", ["5", "[*x, 5]"])
def test_only_mappings_can_be_merged(merged: str) -> None:
    assert read(f"x: &x {{a: 1}}\ny:\n  <<: {merged}\n").problems == (
        Problem(3, 7, "'<<' takes a mapping, or a list of mappings."),
    )


def test_a_repeated_key_is_a_problem_and_the_first_one_stands() -> None:
    document = read("a: 1\nb: 2\na: 3\n")
    assert document.value == {"a": 1, "b": 2}
    assert document.problems == (Problem(3, 1, "The key 'a' is already in line 1."),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5: x", 'A key must be a text; write it in quotes: "5".'),
        ("true: x", 'A key must be a text; write it in quotes: "true".'),
        ("? [a]\n: x", "A key must be a text."),
    ],
)
def test_a_key_is_a_text(text: str, message: str) -> None:
    document = read(text)
    assert document.value == {}
    assert [found.message for found in document.problems] == [message]


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("!!python/object/apply:os.system [ls]", "tag:yaml.org,2002:python/object/apply:os.system"),
        ("!secret x", "!secret"),
        ("!!set {a, b}", "tag:yaml.org,2002:set"),
        ("!!timestamp 2026-01-05", "tag:yaml.org,2002:timestamp"),
    ],
)
def test_tags_make_no_objects(written: str, tag: str) -> None:
    document = read(f"a: {written}")
    assert document.value == {"a": ""}
    assert document.problems == (
        Problem(1, 4, f"The tag '{tag}' is not supported; an expectation file holds plain values."),
    )


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("!!int x", "'x' cannot be read as int."),
        ("!!bool maybe", "'maybe' cannot be read as bool."),
        ('"\\ud800"', "'\\ud800' cannot be read as str."),
        ("1" * 5000, f"'{'1' * 40}' cannot be read as int."),
    ],
)
def test_what_cannot_be_held_is_a_problem(written: str, message: str) -> None:
    assert read(f"a: {written}").problems == (Problem(1, 4, message),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a: b: c",
            Problem(
                1,
                5,
                "This is not valid YAML: mapping values are not allowed here. Put a text that contains ': ' in quotes.",
            ),
        ),
        (
            "a:\n\tb: 1",
            Problem(
                2,
                1,
                "This is not valid YAML: found character '\\t' that cannot start any token. "
                "Indent with spaces, never with tabs.",
            ),
        ),
        (
            "a: 'open",
            Problem(1, 9, "This is not valid YAML: found unexpected end of stream. A quote or bracket is not closed."),
        ),
        (
            "a: 1\nb\nc: 2",
            Problem(
                3, 1, "This is not valid YAML: could not find expected ':'. Every line of a mapping is 'key: value'."
            ),
        ),
        (
            "a: 1\n---\nb: 2",
            Problem(
                2,
                1,
                "This is not valid YAML: expected a single document in the stream, but found another document. "
                "A file holds one document: remove the line '---'.",
            ),
        ),
        (
            "a: *b",
            Problem(
                1,
                4,
                "This is not valid YAML: found undefined alias 'b'. Define it with & before it is used with *, "
                "or put a text that begins with * in quotes.",
            ),
        ),
        ("a: [1, 2", Problem(1, 9, "This is not valid YAML: expected ',' or ']', but got '<stream end>'.")),
        ("a: b\nc: \x1b[0m", Problem(2, 4, "The character U+001B cannot stand in YAML.")),
        ("a: b\u2028c: \x00", Problem(2, 4, "The character U+0000 cannot stand in YAML.")),
        ("&x [*x]", Problem(1, 1, "This value contains itself through an alias.")),
        ("&x {a: 1, <<: *x}", Problem(1, 1, "This value contains itself through an alias.")),
        ("[" * 100, Problem(1, 61, "The values are nested more than 60 deep.")),
    ],
)
def test_a_text_that_cannot_be_read_is_said_with_its_place(text: str, expected: Problem) -> None:
    assert problem(text) == expected


@pytest.mark.parametrize("text", ['a: "\\UFFFFFFFF"', "%YAML 1." + "9" * 5000 + "\n--- a"])
def test_what_python_cannot_hold_is_no_yaml(text: str) -> None:
    assert problem(text).message.startswith("This is not valid YAML: ")


def test_aliases_that_multiply_are_stopped() -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10))
    assert problem(f"a0: &a0 x\n{levels}").message == "The file has more than 100,000 values, aliases expanded."


def test_aliases_that_nest_are_stopped() -> None:
    levels = "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 100))
    assert problem(f"a0: &a0 x\n{levels}").message == "The values are nested more than 60 deep."


LINE_BREAKS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


def places(text: str) -> list[Problem | Place]:
    try:
        document = yaml_document.read(text)
    except NotYaml as error:
        return [error.problem]
    return [*document.problems, *document.places.values(), *document.keys.values()] if document else []


def stands_in(text: str, place: Problem | Place) -> bool:
    """Tell whether the place is in the text, or right behind one of its lines."""
    lines = LINE_BREAKS.split(text)
    return 1 <= place.line <= len(lines) and 1 <= place.column <= len(lines[place.line - 1]) + 1


@given(
    st.text(st.sampled_from("ab:-?[]{}&*!|>'\"%@`#,~<=. \n\t\r\x85\u2028\x0b\x1c\ufeff\x00é1"), max_size=40) | st.text()
)
@example('"\\UFFFFFFFF"')
def test_any_text_is_a_document_or_has_a_problem_inside_it(text: str) -> None:
    assert all(stands_in(text, place) for place in places(text))
