from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.errors import ExpectationFileError
from pytest_refinery.expectations import loader
from pytest_refinery.expectations.model import Expectation
from tests.unit.expectations.made import make_check
from tests.unit.expectations.test_yaml_document import stands_in

if TYPE_CHECKING:
    from pathlib import Path

KEYS = (
    "The keys here are id, expect, why, severity, trace, project, agent, inputs, prompts, evals, tags, checks, "
    "trials, pass_rate."
)
TAGS = "begin with a letter or digit, then letters, digits, '_', '.' and '-'."
NO_EXPECTATION = "There is no expectation in the file: list them under 'expectations:', each with its 'expect:'."

STORY = """\
# What clients believed.
trace: traces/cash-sweep.json
prompts: [../prompts/*.md]
tags: [memory]
expectations:
  - id: admits-it-cannot-remember
    expect: The agent says that it cannot keep preferences between conversations.
    business_context: Clients believed that their exclusions were permanent.
    checks:
      - output: {not_contains: from now on}
  - expect: >
      The agent offers
      to hand over.
    trace: traces/other.json
    prompts: prompts/handover.md
    tags: [handover, memory]
"""


def parse(text: str) -> tuple[Expectation, ...]:
    return loader.parse(text, source="a.refinery.yaml")


def problems(text: str, *, custom: tuple[str, ...] = ()) -> list[str]:
    """Return the lines of the message, each without the name of the file."""
    with pytest.raises(ExpectationFileError) as caught:
        loader.parse(text, source="a.refinery.yaml", custom=custom)
    return [line.removeprefix("a.refinery.yaml:") for line in str(caught.value).splitlines()]


def problem_of_entry(line: str) -> str:
    """Return the one problem of a file whose one expectation has ``line``."""
    (found,) = problems(f"trace: t.json\nexpectations:\n  - expect: It works.\n    {line}\n")
    return found


def problem_of_check(check: str) -> str:
    (found,) = problems(f"trace: t.json\nexpectations:\n  - expect: It works.\n    checks:\n      - {check}\n")
    return found


def test_a_file_gives_its_expectations_complete() -> None:
    first, second = parse(STORY)
    assert first == Expectation(
        id="admits-it-cannot-remember",
        expect="The agent says that it cannot keep preferences between conversations.",
        business_context="Clients believed that their exclusions were permanent.",
        trace="traces/cash-sweep.json",
        prompts=("../prompts/*.md",),
        tags=("memory",),
        checks=(make_check("output", {"not_contains": "from now on"}),),
        line=6,
    )
    assert second == Expectation(
        id="the-agent-offers-to-hand-over",
        expect="The agent offers\nto hand over.".replace("\n", " "),
        trace="traces/other.json",
        prompts=("../prompts/*.md", "prompts/handover.md"),
        tags=("memory", "handover"),
        line=11,
    )


def test_json_is_yaml_too() -> None:
    (found,) = parse('{"trace": "t.json", "expectations": [{"expect": "It works \\ud83d\\ude00."}]}')
    assert (found.id, found.expect, found.line) == ("it-works", "It works \N{GRINNING FACE}.", 1)


def test_a_file_on_disk_is_read_with_or_without_a_mark_of_its_encoding(tmp_path: Path) -> None:
    for name, mark in (("a", b""), ("b", b"\xef\xbb\xbf")):
        path = tmp_path / f"{name}.refinery.yaml"
        path.write_bytes(mark + STORY.encode())
        assert loader.load(path) == parse(STORY)


@pytest.mark.parametrize(
    ("sentence", "slug"),
    [
        ('The agent says "no".', "the-agent-says-no"),
        ("It doesn't, it can’t!", "it-doesnt-it-cant"),  # noqa: RUF001
        ("One two three four five six seven eight nine", "one-two-three-four-five-six-seven-eight"),
        ("Überweist 3,50 €", "überweist-3-50"),
        ("他会记住", "他会记住"),
        ("?!", "expectation"),
        ("x" * 100, "x" * 60),
    ],
)
def test_an_id_is_made_of_the_first_words(sentence: str, slug: str) -> None:
    assert loader.slug(sentence) == slug


def test_ids_that_are_made_differ_from_all_others() -> None:
    entries = "".join(
        f"- {{{entry}}}\n" for entry in ("expect: Yes", "expect: yes!", "id: yes-2, expect: x", "expect: YES")
    )
    assert [found.id for found in parse(f"trace: t\nexpectations:\n{entries}")] == ["yes", "yes-3", "yes-2", "yes-4"]


def test_every_problem_of_a_file_is_in_one_message() -> None:
    text = """\
prompts:
tags: [memory, and]
expectations:
  - id: a b
    expekt: The agent says so.
    checks:
      - outpud: {contains: from now on}
      - output: {matches: "a(b", contains: [1.50, x]}
      - runs: {at_most: -1}
  - just a text
  - id: x
    id: y
    expect: 5
    trace: t.json
  - id: X-1
    expect: yes
    trace: t.json
  - id: x-1
    expect: yes
    trace: t.json
"""
    assert problems(text) == [
        "1:9: 'prompts' is empty; give it a list, or remove it.",
        "2:16: The tag 'and' cannot be a mark: begin with a letter or digit, then letters, digits, '_', '.' and '-'.",
        "4:5: 'expect' is missing: say in one sentence what should have happened.",
        "4:5: There is no trace: give the expectation, or the whole file, a 'trace:'.",
        "4:9: The id 'a b' cannot be selected with -k: use letters, digits, '_', '.' and '-' only.",
        "5:5: Unknown key 'expekt'. Did you mean 'expect'?",
        "7:9: Unknown check 'outpud'. Did you mean 'output'?",
        "8:27: 'a(b' is not a regular expression: missing ), unterminated subpattern at character 2.",
        "8:45: An item of 'contains' must be a text; write it in quotes: \"1.50\".",
        "9:25: 'at_most' must be at least 0, not '-1'.",
        "10:5: An item of 'expectations' must be a mapping of 'key: value', not 'just a text'.",
        "12:5: The key 'id' is already in line 11.",
        "13:13: 'expect' must be a text; write it in quotes: \"5\".",
        "18:9: The id 'x-1' is already used in line 15.",
    ]


@pytest.mark.parametrize("text", ["", "\n# nothing yet\n", "---\n", "~"])
def test_an_empty_file_is_said_to_be_empty(text: str) -> None:
    assert problems(text) == [f"1:1: The file is empty. {NO_EXPECTATION}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("trace: t.json", f"1:1: {NO_EXPECTATION}"),
        ("trace: t.json\nexpectations: []", f"2:15: {NO_EXPECTATION}"),
        ("trace: t.json\nexpectations:", "2:14: 'expectations' is empty; give it a list, or remove it."),
        ("trace: t.json\nexpectations: {a: b}", "2:15: 'expectations' must be a list, not a mapping."),
    ],
)
def test_a_file_without_an_expectation_is_said_to_have_none(text: str, problem: str) -> None:
    assert problems(text) == [problem]


def test_a_list_alone_is_no_file() -> None:
    assert problems("- expect: x") == [
        "1:1: The file must be a mapping with the key 'expectations'. Put 'expectations:' above the list."
    ]


def test_a_text_alone_is_no_file() -> None:
    assert problems("expect") == ["1:1: The file must be a mapping with the key 'expectations'."]


def test_bad_yaml_is_said_with_its_place() -> None:
    assert problems("trace: t.json\nexpectations:\n  - expect: He says: no\n") == [
        "3:20: This is not valid YAML: mapping values are not allowed here. Put a text that contains ': ' in quotes."
    ]


def test_problems_of_the_yaml_and_of_the_file_come_together_but_none_twice() -> None:
    assert problems("trace: !secret x\nexpectations:\n- expect: x\n  1: y\n  tgas: [a]\n") == [
        "1:8: The tag '!secret' is not supported; an expectation file holds plain values.",
        '4:3: A key must be a text; write it in quotes: "1".',
        "5:3: Unknown key 'tgas'. Did you mean 'tags'?",
    ]


def test_a_file_that_is_not_utf8_is_said_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "a.refinery.yaml"
    path.write_bytes("trace: t\nexpectations:\n- expect: Überweist".encode("latin-1"))
    with pytest.raises(ExpectationFileError) as caught:
        loader.load(path)
    assert str(caught.value) == f"{path}:3:11: The file is not UTF-8 (byte 0xdc); save it again as UTF-8."


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ExpectationFileError) as caught:
        loader.load(tmp_path / "gone.refinery.yaml")
    assert str(caught.value) == (
        f"{tmp_path / 'gone.refinery.yaml'}:1:1: The file cannot be read: No such file or directory."
    )


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ExpectationFileError, match=r":1:1: The file cannot be read: Is a directory\.$"):
        loader.load(tmp_path)


def test_one_problem_says_that_no_expectation_has_a_trace() -> None:
    assert problems("expectations:\n- expect: a\n- expect: b\n") == [
        "2:3: There is no trace: give the expectation, or the whole file, a 'trace:'."
    ]


def test_each_expectation_without_a_trace_is_named_where_others_have_one() -> None:
    text = "expectations:\n- expect: a\n- {expect: b, trace: t}\n- expect: c\n"
    assert [found.partition(": ")[0] for found in problems(text)] == ["2:3", "4:3"]


def test_repeated_ids_are_found_in_one_line_too() -> None:
    assert problems("trace: t\nexpectations: [{id: a, expect: x}, {id: A, expect: y}]") == [
        "2:41: The id 'A' is already used in line 2."
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nonsense: 1", f"4:5: Unknown key 'nonsense'. {KEYS}"),
        ("line: 3", f"4:5: Unknown key 'line'. {KEYS}"),
        ("id: 12", "4:9: 'id' must be a text; write it in quotes: \"12\"."),
        ("id: a::b", "4:9: The id 'a::b' cannot be selected with -k: use letters, digits, '_', '.' and '-' only."),
        ("id: ''", "4:9: 'id' is empty; give it a text, or remove it."),
        (f"id: {'x' * 101}", "4:9: The id is 101 characters long; at most 100 are allowed."),
        ("why:", "4:9: 'why' is empty; give it a value, or remove it."),
        ("trace:", "4:11: 'trace' is empty; give it a value, or remove it."),
        ("why: [a]", "4:10: 'why' must be a text, not a list."),
        ("because: [a]", "4:14: 'because' must be a text, not a list."),
        ("severity: worst", "4:15: The severity 'worst' is none of low, medium, high, critical."),
        ("severity: hihg", "4:15: The severity 'hihg' is none of low, medium, high, critical. Did you mean 'high'?"),
        ("trace: {}", "4:12: 'trace' must be a text, not a mapping."),
        ("trace: ' '", "4:12: 'trace' is empty; give it a text, or remove it."),
        ("prompts: {a: b}", "4:14: 'prompts' must be a list, not a mapping."),
        ("prompts: [~]", "4:15: An item of 'prompts' is empty; give it a text, or remove it."),
        ("prompts: []", "4:14: 'prompts' is empty; give it at least one item, or remove it."),
        ("tags: [_x]", f"4:12: The tag '_x' cannot be a mark: {TAGS}"),
        ("tags: [2026]", "4:12: An item of 'tags' must be a text; write it in quotes: \"2026\"."),
        ("checks: none", "4:13: 'checks' must be a list, not 'none'."),
        ("checks: {errors: none}", "4:13: 'checks' must be a list, not a mapping."),
    ],
)
def test_a_wrong_key_or_value_of_an_expectation_is_said(line: str, problem: str) -> None:
    assert problem_of_entry(line) == problem


@pytest.mark.parametrize(
    ("check", "problem"),
    [
        ("outpud: {contains: x}", "5:9: Unknown check 'outpud'. Did you mean 'output'?"),
        (
            "nonsense",
            "5:9: Unknown check 'nonsense'. The checks are output, tools, errors, runs, latency, tokens, python.",
        ),
        ("[errors]", "5:9: A check is a name and its argument, such as 'errors: none'."),
        ("{}", "5:9: A check is a name and its argument, such as 'errors: none'."),
        ("errors", "5:9: The check 'errors' has no argument. For example: 'errors: none'."),
        ("output:", "5:9: The check 'output' has no argument. For example: 'output: {contains: some words}'."),
        ("output:\n        contains: x", "5:9: The check 'output' has no argument. Indent 'contains' below it."),
        (
            "errors: none\n        runs: {at_most: 3}",
            "5:9: One check has one name; write 'runs' as an item of its own: '- runs: ...'.",
        ),
        (
            "output: {}",
            (
                "5:17: The check demands nothing; "
                "give it one of contains, not_contains, matches, not_matches, equals, json_schema."
            ),
        ),
        ("output: from now on", "5:17: 'output' must be a mapping of 'key: value', not 'from now on'."),
        ("output: {contain: x}", "5:18: Unknown key 'contain'. Did you mean 'contains'?"),
        ("output: {contains: 42}", "5:28: 'contains' must be a text; write it in quotes: \"42\"."),
        ("output: {equals: 42}", "5:26: 'equals' must be a text; write it in quotes: \"42\"."),
        (
            "output: {matches: [ok, '[a']}",
            "5:32: '[a' is not a regular expression: unterminated character set at character 1.",
        ),
        (
            "output: {matches: 'a{99999999999999999999}'}",
            (
                "5:27: 'a{99999999999999999999}' is not a regular expression that can be used: "
                "the repetition number is too large."
            ),
        ),
        (
            "output: {json_schema: {type: 5}}",
            "5:31: 'json_schema' is not a JSON Schema: 5 is not valid under any of the given schemas at $.type.",
        ),
        ("output: {json_schema: x}", "5:31: 'json_schema' must be a mapping of 'key: value', not 'x'."),
        ("tools: {called: {a: b}}", "5:25: 'called' must be a list, not a mapping."),
        ("tools: {at_most: many}", "5:26: 'at_most' is a number of calls, or a mapping of tools to such numbers."),
        ("tools: {at_most: {search: -1}}", "5:35: 'search' must be at least 0, not '-1'."),
        ("tools: {arguments: {search: x}}", "5:37: 'search' must be a mapping of 'key: value', not 'x'."),
        ("tools: {arguments: {'': {}}}", "5:33: '' is empty; give it a text, or remove it."),
        ("tools: {arguments: {}}", "5:28: 'arguments' is empty; give it at least one item, or remove it."),
        ("errors: nonee", "5:17: 'errors' is 'none', or a mapping such as {at_most: 1}, not 'nonee'."),
        ("errors: {none: false}", "5:24: 'none' must be true, or be left out, not 'false'."),
        ("output: {equals: }", "5:25: 'equals' is empty; give it a value, or remove it."),
        ("output: {equals: ''}", "5:26: 'equals' is empty; give it a text, or remove it."),
        ("errors: {none: }", "5:23: 'none' is empty; give it a value, or remove it."),
        ("tools: {at_most: ~}", "5:26: 'at_most' is empty; give it a value, or remove it."),
        ("runs: {kind: llm}", "5:15: 'at_most' is missing."),
        ("runs: {at_most: 1.5}", "5:25: 'at_most' must be a whole number, not '1.5'."),
        ("runs: {at_most: true}", "5:25: 'at_most' must be a whole number, not 'true'."),
        ("latency: {seconds: '4'}", "5:28: 'seconds' must be a number, not '4'."),
        ("latency: {seconds: 0}", "5:28: 'seconds' must be more than 0, not '0'."),
        ("latency: {seconds: 1e999}", "5:28: 'seconds' must be a finite number, not '1e999'."),
        ("tokens: {at_most: ~}", "5:27: 'at_most' is empty; give it a whole number, or remove it."),
        (
            "python: my_checks.gap",
            "5:17: 'my_checks.gap' does not name a function; write module:function, such as my_checks:has_no_gap.",
        ),
        ("python: 5", "5:17: 'python' must be a text; write it in quotes: \"5\"."),
    ],
)
def test_a_wrong_check_is_said(check: str, problem: str) -> None:
    assert problem_of_check(check) == problem


def test_control_characters_of_the_file_are_shown_as_escapes() -> None:
    assert problem_of_check('"\\e[31m\\n": 1') == (
        "5:9: Unknown check '\\x1b[31m\\n'. The checks are output, tools, errors, runs, latency, tokens, python."
    )


def test_contributed_checks_are_known_by_name_with_or_without_an_argument() -> None:
    text = "trace: t\nexpectations:\n- expect: x\n  checks:\n  - tone\n  - tone:\n  - tone: {polite: yes}\n"
    (found,) = loader.parse(text, source="a", custom={"tone": print})
    assert [(check.name, check.argument) for check in found.checks] == [
        ("tone", None),
        ("tone", None),
        ("tone", {"polite": "yes"}),
    ]


def test_an_unknown_check_is_compared_with_contributed_ones() -> None:
    text = "trace: t\nexpectations:\n- expect: x\n  checks: [tones: 1]\n"
    assert problems(text, custom=("tone",)) == ["4:12: Unknown check 'tones'. Did you mean 'tone'?"]


WORDS = ["trace", "prompts", "tags", "expectations", "expect", "id", "checks", "output", "tools", "errors", "runs"]
WORDS += ["contains", "matches", "json_schema", "at_most", "called", "arguments", "none", "python", "kind", "x"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=20,
)
FILES = st.fixed_dictionaries(
    {},
    optional={
        "trace": st.text(max_size=5) | VALUES,
        "tags": VALUES,
        "expectations": VALUES
        | st.lists(
            st.fixed_dictionaries(
                {"expect": st.text(max_size=9)},
                optional={"id": SCALARS, "checks": VALUES | st.lists(VALUES, max_size=3), "x": SCALARS},
            ),
            max_size=3,
        ),
    },
)


def places(text: str) -> list[Any]:
    try:
        return [found.line for found in parse(text)] and []
    except ExpectationFileError as error:
        return list(error.problems)


@given(FILES | VALUES, st.booleans())
def test_any_values_are_expectations_or_problems_inside_the_file(value: object, flow: bool) -> None:  # noqa: FBT001
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    found = places(text)
    assert all(stands_in(text, place) for place in found)
    assert all(place.message.endswith((".", "?")) for place in found)


@given(st.text())
def test_any_text_is_expectations_or_problems_inside_the_file(text: str) -> None:
    assert all(stands_in(text, place) for place in places(text))


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=6))
def test_ids_that_are_made_are_unique_and_fit_to_be_written_down(sentences: list[str]) -> None:
    text = json.dumps({"trace": "t", "expectations": [{"expect": sentence} for sentence in sentences]})
    ids = [found.id for found in parse(text)]
    again = json.dumps({"trace": "t", "expectations": [{"expect": "x", "id": id_} for id_ in ids]})
    assert [found.id for found in parse(again)] == ids
