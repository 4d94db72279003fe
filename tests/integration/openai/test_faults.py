"""What the user gets when the service, or the way to it, does not do its part. The outcome is always the same."""

from __future__ import annotations

import signal
import subprocess
import sys
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

import pytest

from tests.openai_server import Fault, OpenAIServer, faults
from tests.openai_server.messages import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.openai_server.messages import Answer

    Diagnose = Callable[..., tuple[pytest.RunResult, dict[str, Any]]]

RESPONSES = "/responses"


def refused_429(message: str, headers: Mapping[str, str] | None = None) -> Fault:
    """A 429 that does not say that all of a minute's tokens are used: the next test need not wait for them."""
    return faults.error(429, message, kind="tokens", code="rate_limit_exceeded", headers=headers)


FOR_GOOD: dict[str, tuple[Fault, str]] = {
    "request too large": (
        refused_429("Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 76503."),
        "*Request too large for gpt-4o*No waiting helps: make the groups smaller (--refinery-group-tokens)*",
    ),
    "no credit": (
        faults.insufficient_quota(),
        "*The account has no credit left (insufficient_quota): You exceeded your current quota*Add credit*",
    ),
    "wrong key": (
        faults.invalid_key(),
        "*The service at * (OPENAI_BASE_URL) did not accept the key (401): Incorrect API key*Set OPENAI_API_KEY*",
    ),
    "refusal": (faults.refusal(), "*the model refused to answer: I'm sorry, I can't help with that*"),
    "not the schema": (
        faults.not_the_schema(),
        "*the model's answer is not what it was asked for (*); it begins \"Certainly! Here is the analysis*",
    ),
    "refused by the service": (
        faults.error(400, "Something about it is wrong."),
        "*The service at * did not accept the request (400): Something about it is wrong*",
    ),
    "errors in a row": (faults.server_error(503), "*The service at * failed (503): The server had an error*"),
    "connection cut": (faults.cut_connection(), "*The connection to the service at * broke: *"),
    "stalled": (faults.stalled(), "*within * s*"),
    "failed": (
        faults.failed("server_error", "Something broke."),
        "*The service failed to answer (server_error): Something broke*",
    ),
}


FINAL = ("request too large", "no credit", "wrong key", "refused by the service")
PASSING: dict[str, Fault] = {
    "limited": refused_429("Rate limit reached for gpt-4o.", {"retry-after": "1", "retry-after-ms": "50"}),
    "limited without headers": faults.rate_limited(wait=0.05, headers=False),
    "limited by a proxy": faults.litellm_limited(window=1.0),
    "error": faults.server_error(),
    "connection cut": faults.cut_connection(),
    "failed": faults.failed("vector_store_timeout", "It took too long."),
    "limited, in a 200": faults.failed(),
    "cut off": faults.incomplete(),
    "not the schema": faults.not_the_schema(),
    "refusal": faults.refusal(),
}


@pytest.mark.parametrize(("fault", "sentence"), FOR_GOOD.values(), ids=FOR_GOOD.keys())
def test_what_stays_wrong_is_said(diagnose: Diagnose, server: OpenAIServer, fault: Fault, sentence: str) -> None:
    server.faults.add(fault, times=None)
    # What is final comes at once, however slow the machine is; the rest is tried as long as there is time.
    is_final = fault in [FOR_GOOD[name][0] for name in FINAL]
    result, found = diagnose("--refinery-timeout", "60" if is_final else "5")
    assert fnmatch(found["partial"], f"The model gpt-6-luna gave no usable answer ({sentence}): diagnosed by the rules")
    result.stdout.fnmatch_lines(["Root cause *by rules", "Incomplete   The model gpt-6-luna gave no usable answer *"])


@pytest.mark.parametrize("name", FINAL)
def test_what_is_final_is_not_asked_again(diagnose: Diagnose, server: OpenAIServer, name: str) -> None:
    server.faults.add(FOR_GOOD[name][0], times=None)
    _, found = diagnose()
    asked = len(server.requests("POST", RESPONSES))
    assert asked == 1
    assert found["partial"].startswith("The model gpt-6-luna gave no usable answer (")


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_what_passes_leaves_no_trace(diagnose: Diagnose, server: OpenAIServer, fault: Fault) -> None:
    server.faults.add(fault, times=1)
    _, found = diagnose()
    assert (found["partial"], found["notes"]) == (None, [])
    assert found["responsible_run_id"] == "4"
    assert len(server.requests("POST", RESPONSES)) == 4


def test_an_answer_that_is_cut_off_is_asked_for_with_more_room_once(diagnose: Diagnose, server: OpenAIServer) -> None:
    server.faults.add(faults.incomplete(), times=None, when=lambda sent: "GapAnswer" in str(sent.body))
    _, found = diagnose()
    rooms = [
        each.body["max_output_tokens"] for each in server.requests("POST", RESPONSES) if "GapAnswer" in str(each.body)
    ]
    assert rooms == [3_200, 4_400, 6_800]
    assert fnmatch(
        found["partial"],
        "gap analysis: the answer was cut off after * output tokens (max_output_tokens); "
        "raise REFINERY_MAX_OUTPUT_TOKENS_OTHER",
    )


def test_room_that_the_user_has_set_does_not_grow(
    diagnose: Diagnose, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFINERY_MAX_OUTPUT_TOKENS_STAGE1", "20")
    _, found = diagnose("--refinery-model", "gpt-4.1-mini")
    assert "raise REFINERY_MAX_OUTPUT_TOKENS_STAGE1" in found["partial"]
    rooms = {each.body["max_output_tokens"] for each in server.requests("POST", RESPONSES)}
    assert rooms == {20}


def test_a_model_that_does_not_exist_is_said_once_with_the_nearest_name(
    diagnose: Diagnose, server: OpenAIServer
) -> None:
    _, found = diagnose("--refinery-model", "gpt-6-lna")
    assert fnmatch(
        found["partial"],
        "The model gpt-6-lna gave no usable answer (There is no model 'gpt-6-lna' for this key. The service at * has "
        "no such model (404): The model `gpt-6-lna` does not exist or you do not have access to it. Did you mean "
        "'gpt-6-luna'? Set --refinery-model or REFINERY_MODEL): diagnosed by the rules",
    )
    assert len(server.requests("POST", RESPONSES)) == 1


@pytest.mark.parametrize("code", ["unsupported_parameter", None])
def test_a_model_that_refuses_a_temperature_is_asked_without(
    diagnose: Diagnose, server: OpenAIServer, code: str | None
) -> None:
    server.faults.add(faults.refused_temperature(code=code), times=None)
    _, found = diagnose("--refinery-model", "gpt-4.1-mini")
    assert found["partial"] is None
    assert found["notes"] == ["The model gpt-4.1-mini does not accept temperature: it was asked without."]
    assert len(server.refusals) == 0
    assert ["temperature" in each.body for each in server.requests("POST", RESPONSES)] == [True, False, False, False]


def test_runs_that_do_not_exist_are_said(diagnose: Diagnose, server: OpenAIServer) -> None:
    server.faults.add(faults.unknown_runs(), times=None, when=lambda sent: "ConclusionAnswer" in str(sent.body))
    _, found = diagnose()
    assert found["responsible_run_id"] is None
    assert found["partial"] == "the analyst named a run that the trace does not have (#9999)"


def test_findings_about_runs_that_do_not_exist_are_dropped(diagnose: Diagnose, server: OpenAIServer) -> None:
    server.faults.add(faults.unknown_runs(), times=None, when=lambda sent: "GroupAnswer" in str(sent.body))
    _, found = diagnose()
    assert found["findings"] == []
    assert found["notes"] == ["The model named runs that the trace does not have (#9999); those findings were dropped."]


def test_quotes_that_do_not_exist_are_no_evidence(diagnose: Diagnose, server: OpenAIServer) -> None:
    server.faults.add(faults.unknown_quotes(), times=None)
    result, found = diagnose()
    assert (found["evidence"], found["confidence"], found["partial"]) == ([], "low", None)
    assert [(quote["run_id"], quote["verified"]) for quote in found["findings"][0]["evidence"]] == [("4", False)]
    result.stdout.no_fnmatch_line("*These words stand nowhere*")


@pytest.mark.usefixtures("grouped")
def test_a_file_that_cannot_be_indexed_is_put_into_the_prompt(diagnose: Diagnose, server: OpenAIServer) -> None:
    server.unindexable = ("g02*",)
    result, found = diagnose("-vv")
    assert found["coverage"]["percentage"] == 100.0
    assert found["responsible_run_id"] == "4"
    assert found["notes"] == [
        "g02_trace_runs_004-006.md could not be indexed (An internal error occurred.): it was put into the prompt."
    ]
    result.stdout.fnmatch_lines(["Note         g02_trace_runs_004-006.md could not be indexed *"])


@pytest.mark.usefixtures("grouped")
def test_indexing_that_never_ends_is_not_waited_for(diagnose: Diagnose, server: OpenAIServer) -> None:
    server.never_indexed = ("g03*",)
    _, found = diagnose("--refinery-timeout", "4")
    assert found["coverage"]["percentage"] == 100.0
    assert fnmatch(
        found["notes"][0], "g03_trace_runs_007-007.md was not indexed within * s: it was put into the prompt."
    )


@pytest.mark.usefixtures("grouped")
def test_a_store_that_vanishes_between_stages_is_done_without(diagnose: Diagnose, server: OpenAIServer) -> None:
    server.faults.add(
        faults.vanished_store(), times=None, when=lambda sent: "GapAnswer" in str(sent.body) and "tools" in sent.body
    )
    _, found = diagnose()
    assert found["partial"] is None
    assert found["notes"] == ["The vector store has vanished: what was still to be read was put into the prompts."]


@pytest.mark.usefixtures("grouped")
def test_a_store_that_is_gone_before_stage_1_leaves_nothing_unread(diagnose: Diagnose, server: OpenAIServer) -> None:
    server.faults.add(faults.vanished_store(), times=None, when=lambda sent: "tools" in sent.body)
    _, found = diagnose()
    assert (found["coverage"]["percentage"], found["partial"]) == (100.0, None)
    assert found["responsible_run_id"] == "4"


@pytest.mark.usefixtures("grouped")
def test_a_store_that_vanished_between_sessions_is_made_again(diagnose: Diagnose, server: OpenAIServer) -> None:
    diagnose()
    (store,) = server.requests("POST", "/vector_stores")
    server.app.stores.delete(Request("DELETE", ""), store.answer["id"])
    _, found = diagnose("--cache-clear")
    assert len(server.requests("POST", "/vector_stores")) == 2
    assert (found["coverage"]["percentage"], found["notes"]) == (100.0, [])


@pytest.mark.usefixtures("grouped")
def test_an_organisation_that_lets_nothing_expire_is_told_how_to_clean_up(
    diagnose: Diagnose, server: OpenAIServer
) -> None:
    server.faults.add(faults.refused_expiry(), times=None)
    _, found = diagnose()
    assert found["coverage"]["percentage"] == 100.0
    assert found["notes"] == [
        "The organisation lets nothing expire: remove what stays behind with `pytest-refinery cleanup`."
    ]


@pytest.mark.usefixtures("grouped")
def test_a_server_that_ignores_files_in_a_batch_gets_them_one_by_one(diagnose: Diagnose, server: OpenAIServer) -> None:
    server.faults.add(faults.ignored_files(), times=None)
    server.faults.add(faults.document_ids(), times=None)
    _, found = diagnose()
    assert len(server.requests("POST", "/vector_stores/{vector_store_id}/files")) == 6
    assert (found["coverage"]["percentage"], found["notes"]) == (100.0, [])
    assert found["responsible_run_id"] == "4"


@pytest.mark.usefixtures("grouped")
def test_one_group_that_fails_costs_its_coverage_and_the_others_stay(diagnose: Diagnose, server: OpenAIServer) -> None:
    server.faults.add(faults.not_the_schema(), times=None, when=lambda sent: "group g03" in str(sent.body.get("input")))
    _, found = diagnose()
    assert found["coverage"]["missing_run_ids"] == ["6"]
    assert found["partial"].startswith("group g03: the model's answer is not what it was asked for")
    assert found["responsible_run_id"] == "4"


@pytest.mark.usefixtures("grouped")
def test_when_the_time_is_up_the_rules_diagnose_and_the_store_is_used_again(
    diagnose: Diagnose, server: OpenAIServer
) -> None:
    server.faults.add(faults.stalled(), times=None, when=lambda sent: "group g03" in str(sent.body.get("input")))
    # In what the group has left of the time, a fast machine could come to a conclusion.
    server.faults.add(faults.stalled(), times=None, when=lambda sent: "ConclusionAnswer" in str(sent.body))
    _, found = diagnose("--refinery-timeout", "6")
    assert (found["analyst"], found["coverage"]["missing_run_ids"]) == ("builtin", [])
    assert any(not finding["rule"] for finding in found["findings"])
    assert "did not answer within" in found["partial"]
    server.faults.clear()
    _, found = diagnose()
    assert (found["coverage"]["percentage"], found["cached"]) == (100.0, False)
    assert len(server.requests("POST", "/vector_stores")) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("schema", ["GroupAnswer", "GapAnswer", "ConclusionAnswer"])
def test_ctrl_c_in_any_stage_ends_the_run(
    pytester: pytest.Pytester, suite: Path, server: OpenAIServer, schema: str
) -> None:
    def interrupt(_sent: Request, go: faults.Proceed) -> Answer:
        process.send_signal(signal.SIGINT)
        return go(_sent)

    server.faults.add(Fault("interrupt", interrupt), when=lambda sent: schema in str(sent.body))
    command = [sys.executable, "-m", "pytest", "--refinery", "-p", "no:xdist"]
    process = pytester.popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert b"KeyboardInterrupt" in printed


def test_without_a_key_the_analyst_says_what_to_set(diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    _, found = diagnose("--refinery-analyst", "openai")
    assert found["partial"] == (
        "The model gpt-6-luna gave no usable answer (There is no key for OpenAI. "
        "Set OPENAI_API_KEY, or choose --refinery-analyst builtin): diagnosed by the rules"
    )


def test_a_request_above_the_limit_is_not_sent(
    diagnose: Diagnose, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFINERY_TPM", "500")
    _, found = diagnose()
    assert server.requests("POST", RESPONSES) == []
    assert "can never pass a limit of 500 tokens per minute, so it was not sent" in found["partial"]


def test_a_service_that_is_not_there_is_said_and_costs_nothing(
    diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Port 9 is reserved for a service that hardly anybody runs.
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("REFINERY_TPM", "5000")
    _, found = diagnose("--refinery-timeout", "4")
    assert "The service at http://127.0.0.1:9/v1 (OPENAI_BASE_URL) cannot be reached: " in found["partial"]
    assert sum(stage["seconds_waited"] for stage in found["stages"]) < 1
    assert (found["analyst"], found["coverage"]["percentage"]) == ("builtin", 100.0)
