"""JSON values as YAML: people can read it, and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.cassettes import yaml_text
from pytest_refinery.cassettes.yaml_text import NotYaml

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Json

# What YAML gives a meaning to, and what it cannot hold unescaped.
_TRICKY = " \n\t-:#|>'\"{}[]&*!%@`ab01.~=<,?\r\\\x00\x85\ufeff\u2028\U0001f600"
_texts = st.text(st.characters(exclude_categories=["Cs"])) | st.text(alphabet=_TRICKY)
_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _texts
_values = st.recursive(_scalars, lambda inner: st.lists(inner) | st.dictionaries(_texts, inner), max_leaves=20)


@given(_values)
def test_any_json_value_comes_back(value: Json) -> None:
    assert yaml_text.read(yaml_text.written(value)) == value


@given(_values)
def test_the_reader_in_python_says_the_same(value: Json) -> None:
    assert yaml.safe_load(yaml_text.written(value)) == value


def test_what_is_written_reads_well() -> None:
    value: Json = {
        "model": "gpt-5.4-mini",
        "input": [
            {"role": "user", "content": "Say yes.\n\n\tOr no: \n  it depends"},
            {"role": "system", "content": "x\n"},
        ],
        "stop": [],
        "metadata": {},
        "temperature": 0.2,
        "store": False,
        "zip": "01234",
        "word": "yes",
    }

    assert yaml_text.written(value) == (
        "model: gpt-5.4-mini\n"
        "input:\n"
        "- role: user\n"
        "  content: |-\n"
        "    Say yes.\n"
        "\n"
        "    \tOr no: \n"
        "      it depends\n"
        "- role: system\n"
        "  content: |\n"
        "    x\n"
        "stop: []\n"
        "metadata: {}\n"
        "temperature: 0.2\n"
        "store: false\n"
        'zip: "01234"\n'
        'word: "yes"\n'
    )


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a: 1\nb: [1\nc: 2\n", 3, "did not find expected"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", 2, "could not determine a constructor"),
        ("a: &x [1]\nb: *x\n", 1, "no aliases"),
        ("a: &x\n  b: *x\n", 1, "no aliases"),
        ("a: \x01\n", 1, "control characters"),
        ("a: 1\n---\nb: 2\n", 2, "but found another document"),
    ],
)
def test_what_is_no_yaml_of_plain_values_is_told_with_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(NotYaml, match=why) as caught:
        yaml_text.read(text)

    assert caught.value.line == line


def test_what_looks_like_a_date_is_a_text() -> None:
    assert yaml_text.read("a: 2026-11-23\nb: 2026-11-23T10:00:00Z\n") == {
        "a": "2026-11-23",
        "b": "2026-11-23T10:00:00Z",
    }


@pytest.mark.parametrize(
    ("location", "line"), [((), 1), (("b",), 3), (("b", 1), 4), (("b", 1, "c"), 4), (("b", 7), 3), (("no", "such"), 1)]
)
def test_the_line_of_a_value_or_of_the_nearest_around_it(location: tuple[Any, ...], line: int) -> None:
    assert yaml_text.line_of("a: 1\nb:\n- x\n- c: 2\n", *location) == line
