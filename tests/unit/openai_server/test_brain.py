from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_refinery.digest import grouping, render
from pytest_refinery.sources.json_files import JsonFiles
from tests.data_paths import require
from tests.openai_server.brain import Passage, RunReader, View

DIGEST = """\
TRACE shop: 4 runs.
Each line "#number kind name ^parent duration" is one run; an error: nothing.
#1 chain shop out m1-m4
#2 llm model ^1 in m2,m1 out m3
c1 {"model_name":"m"} tools t1
t1 report_error(error: string)
m1 user: Cancel my order.
m2 system: On any error: apologise.
 An error: is bad.
m3 assistant: I look it up.
call get_order({"id":"W1"})
#3 tool get_order ^1 in arguments of m3 out m4
m4 tool get_order: Error: order not found
 run 9 had an error: too
#4 llm model ^1 out m5
m5 assistant: From now on, I will
 keep your preferences."""

SCHEMA = {
    "type": "object",
    "properties": {
        "timeline": {"type": "array", "items": {"type": "string"}},
        "runs_read": {"type": "array", "items": {"type": "integer"}},
        "findings": {"type": "array", "items": {"$ref": "#/$defs/finding"}},
        "passed": {"type": "boolean"},
        "responsible_run": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "quotes": {"type": "array", "items": {"type": "string"}},
        "weight": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "$defs": {
        "finding": {
            "type": "object",
            "properties": {
                "run_number": {"type": "integer"},
                "what": {"type": "string"},
                "failure_type": {"type": "string", "enum": ["prompt_issue", "tool_issue"]},
                "evidence": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"quote": {"type": "string"}}},
                },
            },
        }
    },
}


def view(*inputs: str, passages: tuple[str, ...] = (), schema: dict[str, Any] | None = SCHEMA) -> View:
    found = tuple(Passage("file-1", "g01_trace.md", text, {}) for text in passages)
    return View("gpt-4o", "", inputs, found, "answer", schema)


def answer(given: View, *markers: str) -> dict[str, Any]:
    found = (RunReader(markers) if markers else RunReader())(given)
    assert not isinstance(found, str)
    return dict(found)


def test_fields_are_filled_by_their_names_with_what_stands_in_the_text() -> None:
    assert answer(view(DIGEST)) == {
        "timeline": ["#1 chain shop", "#2 llm model", "#3 tool get_order", "#4 llm model"],
        "runs_read": [1, 2, 3, 4],
        "findings": [
            {
                "run_number": 3,
                "what": "Run #3 (get_order) went wrong.",
                "failure_type": "tool_issue",
                "evidence": [{"quote": "Error: order not found"}],
            },
            {
                "run_number": 3,
                "what": "Run #3 (get_order) went wrong.",
                "failure_type": "tool_issue",
                "evidence": [{"quote": "run 9 had an error: too"}],
            },
        ],
        "passed": False,
        "responsible_run": "3",
        "quotes": ["Error: order not found", "run 9 had an error: too"],
        "weight": 1,
    }


def test_a_planted_marker_is_found_in_its_run() -> None:
    found = answer(view(DIGEST), "From now on", "I look it up")
    assert [finding["run_number"] for finding in found["findings"]] == [2, 4]
    assert found["responsible_run"] == "2"
    assert found["quotes"] == ["I look it up.", "From now on, I will"]


def test_where_nothing_is_found_the_answer_says_so() -> None:
    found = answer(view(DIGEST), "nowhere to be found")
    assert found["findings"] == []
    assert found["passed"] is True
    assert found["responsible_run"] is None


def test_passages_are_put_in_the_order_of_their_runs() -> None:
    cut = DIGEST.index("m4 tool")
    found = answer(view("What went wrong?", passages=(DIGEST[cut:], DIGEST[:cut])))
    assert found["responsible_run"] == "3"


def test_what_two_passages_share_is_read_once() -> None:
    cut = DIGEST.index("m4 tool")
    found = answer(view(passages=(DIGEST[: cut + 40], DIGEST[cut:])))
    assert found["quotes"] == ["Error: order not found", "run 9 had an error: too"]


def test_a_marker_whose_run_was_not_carried_is_not_seen() -> None:
    cut = DIGEST.index("m4 tool")
    found = answer(view(passages=(DIGEST[cut : DIGEST.index(" run 9")],)))
    assert found["findings"] == []


LONG = " ".join(f"word{number}" for number in range(30))


def test_a_passage_within_a_long_text_is_placed_where_it_overlaps() -> None:
    text = f"#1 llm model\nm1 assistant: {LONG}\n From now on it is so.\n {LONG}\n#2 llm model\nm2 assistant: Yes."
    inside = text.index("From now")
    passages = (text[inside + 60 :], text[100 : inside + 90], text[:150])
    assert answer(view(passages=passages), "From now on")["responsible_run"] == "1"


def test_a_passage_that_overlaps_nothing_belongs_to_no_run() -> None:
    found = answer(
        view(passages=("#1 llm model\nm1 assistant: Yes.", " From now on, in run 3, it is so.")), "From now on"
    )
    assert (found["runs_read"], found["findings"]) == ([1], [])


@pytest.mark.parametrize(
    "line",
    [
        '{"run": 7, "what": "it broke", "quote": "Error: \\"no\\" order"}',
        '{"run_number":"7","quote":"Error: \\"no\\" order"}',
    ],
)
def test_findings_that_name_their_run_are_understood(line: str) -> None:
    found = answer(view(f"Findings so far:\n{line}"))
    assert found["responsible_run"] == "7"
    assert found["quotes"] == ['Error: "no" order']


def test_findings_may_span_lines() -> None:
    found = answer(view('[{\n  "run": 7,\n  "quote": "Error: order"\n}]'))
    assert (found["responsible_run"], found["quotes"]) == ("7", ["Error: order"])


def test_without_a_schema_the_answer_is_a_sentence() -> None:
    assert RunReader()(view(DIGEST, schema=None)) == "Run #3 (get_order) went wrong."


def test_groups_of_failures_of_one_type_are_said_to_have_one_cause() -> None:
    schema = {"type": "object", "properties": {"causes": {}, "executive_summary": {}}}
    rows = [{"group": 1, "failure_type": "tool_issue"}, {"group": 2, "failure_type": "prompt_issue"}]
    rows.append({"group": 3, "failure_type": "tool_issue"})
    found = answer(view("\n".join(map(json.dumps, rows)), schema=schema))
    assert [cause["groups"] for cause in found["causes"]] == [[1, 3], [2]]
    assert found["executive_summary"] == "2 causes lie behind all of it."


def test_every_run_of_a_real_trace_is_read_and_every_quote_stands_in_it() -> None:
    path = require("langsmith_tau", "nested", "task_2.json.gz")
    trace = JsonFiles().load(path.name, base=Path(path.parent))
    for group in grouping.group(render.digest(trace), group_tokens=4_000):
        found = answer(view(group.text))
        numbers = [trace.numbers[run_id] for run_id in group.run_ids]
        assert found["runs_read"] == numbers
        assert all(quote in group.text for quote in found["quotes"])
