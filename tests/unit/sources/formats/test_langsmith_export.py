from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_refinery.sources.formats.langsmith_export import Records, is_run
from pytest_refinery.traces.model import Run, RunKind

Record = dict[str, Any]
NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def collected(*records: object) -> Records:
    found = Records("export.json")
    for record in records:
        found.take(record)
    return found


def run(**fields: object) -> Run:
    [found] = collected({"id": "r1", "run_type": "llm", **fields}).runs()[0]
    return found


V1: Record = {
    "id": "0196a1b0-0000-7000-8000-000000000002",
    "trace_id": "0196a1b0-0000-7000-8000-000000000001",
    "parent_run_id": "0196a1b0-0000-7000-8000-000000000001",
    "name": "ChatModel",
    "run_type": "llm",
    "start_time": "2026-03-02T09:00:00",
    "end_time": "2026-03-02T09:00:01.500000",
    "status": "error",
    "error": "context deadline exceeded",
    "inputs": {"messages": []},
    "outputs": {"text": "x"},
    "serialized": {"name": "ChatModel"},
    "tags": ["production"],
    "extra": {"metadata": {"tier": "gold", "ls_model_name": "m-1", "ls_temperature": 0.0}},
    "prompt_tokens": 20,
    "completion_tokens": 5,
    "total_tokens": 25,
}
V2: Record = {
    **{key: V1[key] for key in ("id", "trace_id", "name", "error", "inputs", "outputs", "tags")},
    "parent_run_ids": ["0196a1b0-0000-7000-8000-000000000000", "0196a1b0-0000-7000-8000-000000000001"],
    "run_type": "LLM",
    "status": "ERROR",
    "start_time": "2026-03-02T09:00:00.000Z",
    "latency_seconds": 1.5,
    "manifest": {"name": "ChatModel"},
    "metadata": {"tier": "gold", "ls_model_name": "m-1", "ls_temperature": 0.0},
    "prompt_tokens": 20,
    "completion_tokens": 5,
    "total_tokens": 25,
}


def test_the_field_names_of_both_versions_give_the_same_run() -> None:
    assert collected(V1).runs() == collected(V2).runs()


def test_the_fields_of_a_record_are_kept() -> None:
    [found], notes = collected(V1).runs()
    assert (found.kind, found.name, found.error, found.tags) == (
        RunKind.LLM,
        "ChatModel",
        "context deadline exceeded",
        ("production",),
    )
    assert found.parent_id == V1["parent_run_id"]
    assert found.seconds == 1.5
    assert found.settings == {"model": "m-1", "temperature": 0.0}
    assert found.metadata == {"tier": "gold"}
    assert found.template == {"name": "ChatModel"}
    assert found.usage == {"input_tokens": 20, "output_tokens": 5, "total_tokens": 25}
    assert notes == ()


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-03-02T09:00:00", NINE),
        ("2026-03-02T09:00:00Z", NINE),
        ("2026-03-02T10:00:00+01:00", NINE),
        (NINE.timestamp() * 1000, NINE),
        (int(NINE.timestamp() * 1000), NINE),
        (None, None),
        ("yesterday", None),
        ("0001-01-01T00:00:00+05:00", None),
        (float("nan"), None),
        (float("inf"), None),
        (10**30, None),
        ([], None),
    ],
)
def test_times_are_moments_in_utc(value: object, moment: datetime | None) -> None:
    assert run(start_time=value).started_at == moment


@pytest.mark.parametrize("seconds", [float("nan"), 1e300, "2", None])
def test_a_duration_that_is_none_gives_no_end(seconds: object) -> None:
    assert run(start_time="2026-03-02T09:00:00", latency_seconds=seconds).ended_at is None


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"error": "boom"}, "boom"),
        ({"error": {"code": 429}}, '{"code": 429}'),
        ({"error_preview": "boo..."}, "boo..."),
        ({"status": "error"}, "The run is marked as failed, without a message."),
        ({"status": "ERROR", "error": ""}, "The run is marked as failed, without a message."),
        ({"status": "success", "error": None}, None),
    ],
)
def test_an_error_is_a_text(fields: Record, error: str | None) -> None:
    assert run(**fields).error == error


def test_a_run_that_has_not_ended_is_pending_in_both_versions() -> None:
    assert run(status="pending").is_pending
    assert run(status="PENDING").is_pending
    assert not run(status="success").is_pending


@pytest.mark.parametrize(
    ("fields", "parent"),
    [
        ({"parent_run_id": "p"}, "p"),
        ({"parent_run_ids": ["g", "p"]}, "p"),
        ({"parent_run_ids": []}, None),
        ({"dotted_order": "20260302T090000000000Zp.20260302T090001000000Zr1"}, "p"),
        ({"dotted_order": "20260302T090001000000Zr1"}, None),
        (
            {"dotted_order": "20260302T090000000000Z0196a1b0000070008000000000000001.20260302T090001000000Zr1"},
            "0196a1b0-0000-7000-8000-000000000001",
        ),
        ({"parent_run_id": None, "parent_run_ids": None, "dotted_order": 5}, None),
    ],
)
def test_the_parent_is_found_under_each_name(fields: Record, parent: str | None) -> None:
    assert run(**fields).parent_id == parent


def test_the_id_may_stand_in_the_dotted_order_alone() -> None:
    [found], _ = collected({"run_type": "tool", "dotted_order": "20260302T090000000000Zr9"}).runs()
    assert found.id == "r9"


@pytest.mark.parametrize("kind", ["llm", "LLM", "Llm"])
def test_known_kinds_compare_by_value(kind: str) -> None:
    assert run(run_type=kind).kind == RunKind.LLM


def test_unknown_kinds_stay_themselves() -> None:
    assert run(run_type="Guardrail").kind == "Guardrail"
    assert run(run_type=None).kind == RunKind.CHAIN


def test_null_inputs_are_no_inputs() -> None:
    assert (run(inputs=None).inputs, run(inputs={}).inputs, run().outputs) == (None, None, None)


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        ('{"question": "?"}', {"question": "?"}),
        ("[1, 2]", [1, 2]),
        ("{not JSON}", "{not JSON}"),
        ("plain", "plain"),
        ("", ""),
        ("[" * 500 + "]" * 500, "[" * 500 + "]" * 500),
        (r'["\ud83d"]', ["?"]),
    ],
)
def test_a_payload_may_be_a_string_of_json(payload: str, value: object) -> None:
    assert run(inputs=payload).inputs == value


@pytest.mark.parametrize(
    ("fields", "usage"),
    [
        (
            {"outputs": {"usage_metadata": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}}},
            {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
        ),
        (
            {"outputs": {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}},
            {"input_tokens": 3, "output_tokens": 4},
        ),
        ({"outputs": {"llm_output": {"token_usage": {"total_tokens": 7}}}}, {"total_tokens": 7}),
        (
            {"outputs": {"generations": [[{"message": {"kwargs": {"usage_metadata": {"input_tokens": 3}}}}]]}},
            {"input_tokens": 3},
        ),
        (
            {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3},
            {"input_tokens": 3, "output_tokens": 0, "total_tokens": 3},
        ),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, {}),
        ({"prompt_tokens": None, "total_tokens": float("nan")}, {}),
        ({}, {}),
    ],
)
def test_tokens_are_counted_wherever_they_are_reported(fields: Record, usage: dict[str, int]) -> None:
    assert run(**fields).usage == usage


def test_settings_are_what_the_model_was_called_with() -> None:
    extra = {"invocation_params": {"model_name": "m-1", "top_p": 0.5, "stop": None, "_type": "chat"}}
    assert run(extra=extra).settings == {"model_name": "m-1", "top_p": 0.5}


def test_tags_that_are_no_list_are_no_tags() -> None:
    assert run(tags="production").tags == ()
    assert run(tags=[1, "b"]).tags == ("1", "b")


def test_children_nested_in_a_record_are_runs_of_their_own() -> None:
    leaf = {"id": "c", "run_type": "tool", "name": "leaf"}
    found, notes = collected({"id": "a", "child_runs": [{"id": "b", "child_runs": [leaf]}, {"id": "d"}]}).runs()
    assert [(child.id, child.parent_id) for child in found] == [("a", None), ("b", "a"), ("c", "b"), ("d", "a")]
    assert notes == ()


def test_a_post_and_its_patch_are_one_run_without_a_note() -> None:
    post = {
        "id": "a",
        "run_type": "llm",
        "name": "model",
        "start_time": "2026-03-02T09:00:00",
        "inputs": {"q": 1},
        "outputs": {},
    }
    patch = {"id": "a", "end_time": "2026-03-02T09:00:02", "outputs": {"a": 2}, "inputs": None}
    [found], notes = collected(post, patch).runs()
    assert (found.inputs, found.outputs, found.seconds) == ({"q": 1}, {"a": 2}, 2.0)
    assert notes == ()


def test_pages_that_overlap_are_merged_and_a_note_says_so() -> None:
    whole = {"id": "a", "run_type": "llm", "start_time": "2026-03-02T09:00:00", "end_time": "2026-03-02T09:00:02"}
    found, notes = collected(whole, {**whole, "id": "b"}, whole, {**whole, "outputs": {"x": 1}}).runs()
    assert [item.id for item in found] == ["a", "b"]
    assert found[0].outputs == {"x": 1}
    assert notes == ("Records merged with an earlier one of the same id: 2.",)


def test_payloads_that_are_kept_elsewhere_are_noted() -> None:
    offloaded = {
        "id": "a",
        "run_type": "llm",
        "inputs": None,
        "inputs_s3_urls": {"ROOT": {"presigned_url": "https://x"}},
    }
    there = {"id": "b", "run_type": "llm", "inputs": {"q": 1}, "inputs_s3_urls": {"ROOT": {}}}
    _, notes = collected(offloaded, there).runs()
    assert notes == ("Runs whose inputs or outputs are kept elsewhere (offloaded), not in the file: 1.",)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"run_type": "llm"}, True),
        ({"dotted_order": "x"}, True),
        ({"id": "a", "trace_id": "a", "inputs": {}}, True),
        ({"id": "a", "trace_id": "a", "outputs": None}, True),
        ({"id": "a", "inputs": {}, "outputs": {}}, False),
        ({"event": "on_tool_start", "run_id": "a"}, True),
        ({"event": "on_tool_start"}, False),
        ({"id": "a", "role": "user", "content": "x"}, False),
        ({"role": "user", "content": "x"}, False),
        ([], False),
        ("run", False),
    ],
)
def test_a_run_is_told_from_other_objects(value: object, expected: bool) -> None:  # noqa: FBT001
    assert is_run(value) is expected
