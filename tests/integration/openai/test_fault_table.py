"""What each fault of a service costs, and what the user reads of it. No fault leaves a failure without a diagnosis."""

from __future__ import annotations

import json
import re
import tempfile
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.analysis.engine import Engine, Limits
from pytest_refinery.analysis.ports import Case
from pytest_refinery.analysts.model.analyst import OpenAIAnalyst
from pytest_refinery.analysts.model.model_clients import OpenAIProtocols
from pytest_refinery.analysts.model.openai_service import OpenAIService
from pytest_refinery.analysts.model.questions import ModelOptions
from pytest_refinery.analysts.model.rate_limited_client import RateLimitedClient
from pytest_refinery.budget.estimates import Estimates
from pytest_refinery.budget.unmetered import UnmeteredBudget
from pytest_refinery.settings import Settings
from pytest_refinery.wiring import build
from tests.integration.openai.conftest import TALK
from tests.openai_server import Fault, OpenAIServer, RunReader, faults

if TYPE_CHECKING:
    from pytest_refinery.analysis.schemas import Diagnosis
    from pytest_refinery.traces.model import Trace

MOST_REQUESTS, MOST_SECONDS = 6, 20.0
CHAT = "/chat/completions"
BOTH = ("/responses", CHAT)
WHOLE = None


@dataclass(frozen=True)
class Mode:
    """A fault.

    Attributes:
        faults: What goes wrong, every time.
        says: What the report says, a regular expression; ``None`` where the diagnosis is whole.
        requests: The most that may be sent.
        missing: Paths that the service does not have.
    """

    faults: tuple[Fault, ...] = ()
    says: str | None = WHOLE
    requests: int = MOST_REQUESTS
    missing: tuple[str, ...] = ()
    model: str = "gpt-4.1-mini"
    timeout: float = 15.0
    base_url: str | None = None
    api: str = "auto"


def bad(status: int, message: str, **more: str) -> tuple[Fault, ...]:
    return (faults.error(status, message, **more),)  # type: ignore[arg-type]


def json_error(status: int, body: object) -> tuple[Fault, ...]:
    return (faults.body(body, status),)  # type: ignore[arg-type]


def refused(name: str, message: str, **more: str) -> tuple[Fault, ...]:
    return (faults.refused_parameter(name, faults.error(400, message, **more)),)  # type: ignore[arg-type]


def written(change: str, **more: str) -> tuple[Fault, ...]:
    return (faults.rewritten(lambda text: change.replace("{}", text)),)


def with_values(text: str, **values: object) -> str:
    found = json.loads(text)
    for finding in found.get("findings", ()):
        finding.update(values)
    return json.dumps(found)


def one_bad_finding(text: str) -> str:
    found = json.loads(text)
    if found.get("findings"):
        found["findings"].append({"run": "the last one"})
    return json.dumps(found)


def ignoring_the_schema(path: str) -> tuple[Fault, ...]:
    """Return prose until the schema stands in the question."""
    said = {"choices": [{"message": {"role": "assistant", "content": "Certainly!"}, "finish_reason": "stop"}]}
    prose = faults.body(said, 200, CHAT) if path == CHAT else faults.not_the_schema()
    return (replace(prose, befalls=lambda sent: "JSON Schema, and nothing else" not in json.dumps(sent.body)),)


NO_SCHEMA = "Unknown parameter: 'text.format'."
MODES: dict[str, Mode] = {
    "wrong key": Mode((faults.invalid_key(),), "did not accept the key.*Set OPENAI_API_KEY", 1),
    "no credit": Mode((faults.insufficient_quota(),), "no credit left.*Add credit", 1),
    "payment required": Mode(bad(402, "Insufficient credits"), "wants to be paid first.*Add credit", 1),
    "forbidden": Mode(bad(403, "Not for you."), "denies access.*Not for you", 3),
    "unknown model, OpenAI": Mode((faults.unknown_model(),), "no model.*Set --refinery-model", 2),
    "unknown model, vLLM": Mode(bad(404, "The model `x` does not exist."), "no model.*Set --refinery-model", 2),
    "unknown model, Ollama": Mode(
        json_error(404, {"error": 'model "x" not found, try pulling it first'}), "no model", 2
    ),
    "unknown model, LiteLLM": Mode(bad(400, "Invalid model name passed in model=x"), "no model.*--refinery-model", 2),
    "unknown model, OpenRouter": Mode(bad(400, "x is not a valid model ID"), "no model.*--refinery-model", 2),
    "unknown deployment, Azure": Mode(
        bad(404, "The API deployment for this resource does not exist.", code="DeploymentNotFound"), "no model", 2
    ),
    "content filter": Mode(bad(400, "Filtered.", code="content_filter"), "content filter.*Filtered", 3),
    "overflow, OpenAI": Mode(bad(400, "Too long.", code="context_length_exceeded"), "--refinery-group-tokens"),
    "overflow, vLLM": Mode(
        bad(400, "This model's maximum context length is 64 tokens."), "64 tokens.*--refinery-group-tokens"
    ),
    "overflow, llama.cpp": Mode(
        bad(400, "the request exceeds the available context size (64 tokens)"), "context size.*--refinery-group-tokens"
    ),
    "overflow, Anthropic": Mode(bad(400, "prompt is too long: 900 tokens > 64 maximum"), "--refinery-group-tokens"),
    "request above the limit": Mode((faults.request_too_large(),), "No waiting helps.*--refinery-group-tokens", 3),
    "limited for ever": Mode((faults.rate_limited(wait=0.01),), "at its limit.*asked 6 times"),
    "limited for ever, without headers": Mode((faults.rate_limited(wait=0.01, headers=False),), "at its limit"),
    "limited for ever, LiteLLM": Mode((faults.litellm_limited(window=1.0),), "at its limit.*Rate limit exceeded"),
    "limited in a 200": Mode((faults.failed(),), "failed to answer"),
    "error 500": Mode((faults.server_error(),), "failed .500.", 5),
    "error 503": Mode((faults.server_error(503),), "failed .503.", 5),
    "error 529": Mode((faults.server_error(529),), "failed .529.", 5),
    "error 408": Mode(bad(408, "Request timeout."), "failed .408.", 5),
    "page of a proxy": Mode(
        (faults.page("<html><head><title>502 Bad Gateway</title></head></html>"),), "failed .502.: 502 Bad Gateway", 5
    ),
    "page of a portal": Mode((faults.page("<html><title>Log in</title></html>", 200),), "cannot be understood", 5),
    "text instead of JSON": Mode((faults.page("upstream connect error", 503),), "upstream connect error", 5),
    "a list instead of an object": Mode((faults.page("[1, 2]", 200),), "list instead of an object", 5),
    "an object without anything": Mode(json_error(200, {}), "wrote nothing|not what it was asked for"),
    "pydantic's form": Mode(
        json_error(422, {"detail": [{"loc": ["body", "input"], "msg": "Field required"}]}),
        "body.input: Field required",
        3,
    ),
    "FastAPI's form": Mode(json_error(403, {"detail": "Blocked."}), "denies access.*Blocked", 3),
    "connection cut": Mode((faults.cut_connection(),), "connection to the service at .* broke", 5),
    "stalled": Mode((faults.stalled(),), "did not answer within", timeout=1.5),
    "failed in a 200": Mode((faults.failed("server_error", "It broke."),), "failed to answer.*It broke", 5),
    "the model refuses": Mode((faults.refusal(),), "refused to answer"),
    "prose": Mode((faults.not_the_schema(),), "not what it was asked for"),
    "nothing written": Mode((faults.rewritten(lambda _: ""),), "the model wrote nothing"),
    "cut off": Mode((faults.incomplete(),), "cut off after.*REFINERY_MAX_OUTPUT_TOKENS"),
    "cut off, silently": Mode((faults.silently_cut(),), "cut off after.*REFINERY_MAX_OUTPUT_TOKENS"),
    "a fence": Mode(written("```json\n{}\n```")),
    "prose around it": Mode(written("Here is what I found {as asked}:\n{}\nI hope it helps.")),
    "thoughts": Mode(written("<think>Is {it} so?</think>\n{}")),
    "numbers with a hash": Mode((faults.rewritten(lambda text: re.sub(r'"run": (\d+)', r'"run": "#\1"', text)),)),
    "kinds in words": Mode((faults.rewritten(lambda text: text.replace("model_limitation", "Model Limitation")),)),
    "one bad finding": Mode((faults.rewritten(one_bad_finding),)),
    "usage not said": Mode((faults.without_usage(),)),
    "no temperature": Mode((faults.refused_temperature(),)),
    "no temperature, without a code": Mode((faults.refused_temperature(code=None),)),
    "no prompt_cache_key": Mode(refused("prompt_cache_key", "Unknown parameter", param="prompt_cache_key")),
    "no prompt_cache_key, in words": Mode(
        refused("prompt_cache_key", "unexpected keyword argument 'prompt_cache_key'")
    ),
    "no store": Mode(refused("store", "Unknown parameter", param="store")),
    "no reasoning": Mode(refused("reasoning", "Unsupported", param="reasoning.effort"), model="gpt-6-luna"),
    "no limit of the answer": Mode(refused("max_output_tokens", "Unknown parameter: 'max_output_tokens'.")),
    "no JSON schema": Mode(refused("text", NO_SCHEMA, param="text.format"), "not what it was asked for"),
    "text.format ignored": Mode(ignoring_the_schema("/responses")),
    "chat, response_format ignored": Mode(ignoring_the_schema(CHAT), api="chat"),
    "refused although not sent": Mode(bad(400, "Unsupported", param="temperature"), "did not accept the request"),
    "no Responses API": Mode(missing=("/responses",)),
    "no Responses API, 405": Mode((faults.error(405, "Method Not Allowed"),)),
    "neither protocol": Mode(missing=BOTH, says="does not know what was asked for"),
    "chat only, and so it is asked": Mode(missing=("/responses",), api="chat"),
    "chat, an error as a success": Mode(
        (faults.body({"error": {"code": 402, "message": "No credits."}}, 200, CHAT),),
        "paid first.*No credits",
        1,
        api="chat",
    ),
    "chat, no choices": Mode((faults.body({"choices": []}, 200, CHAT),), "cannot be understood", 5, api="chat"),
    "chat, no json_schema": Mode(
        (
            replace(
                faults.error(400, "This response_format type is unavailable now", path=CHAT),
                befalls=lambda sent: (sent.body.get("response_format") or {}).get("type") == "json_schema",
            ),
        ),
        api="chat",
    ),
    "chat, no response_format": Mode(
        (
            replace(
                faults.error(422, "response_format: Extra inputs are not permitted", path=CHAT),
                befalls=lambda sent: "response_format" in sent.body,
            ),
        ),
        api="chat",
    ),
    "nobody there": Mode(says="cannot be reached", requests=0, base_url="http://127.0.0.1:9/v1"),
    "no scheme": Mode(says="no usable address.*OPENAI_BASE_URL", requests=0, base_url="localhost:9/v1"),
}


@cache
def _talk() -> Trace:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "talk.json").write_text(json.dumps(TALK), encoding="utf-8")
        return build(Settings()).source.load("talk.json", base=Path(folder), project=None)


@dataclass(frozen=True)
class Outcome:
    """What became of a fault: the requests to a model, the seconds, and the diagnosis."""

    requests: int
    seconds: float
    found: Diagnosis

    @property
    def said(self) -> str:
        """What the report says about it."""
        return " ".join(filter(None, [self.found.partial, *self.found.notes]))


def outcome(mode: Mode) -> Outcome:
    """Diagnose a failure while the fault lasts."""
    with OpenAIServer(brain=RunReader(markers=("from now on",)), missing=mode.missing) as server:
        for fault in mode.faults:
            server.faults.add(fault, times=None)
        started = time.monotonic()
        found = diagnosed(mode, mode.base_url or server.base_url)
        seconds = time.monotonic() - started
        return Outcome(sum(each.path in BOTH for each in server.log), seconds, found)


def diagnosed(mode: Mode, base_url: str) -> Diagnosis:
    case = Case(_talk(), expect="The agent says that it cannot keep preferences between conversations.")
    service = OpenAIService(api_key="sk-test", base_url=base_url)
    client = RateLimitedClient(
        OpenAIProtocols(lambda: service, mode.api), UnmeteredBudget(30_000), Estimates(), sleep=lambda *_: None
    )
    analyst = OpenAIAnalyst(client, ModelOptions(model=mode.model), None)
    rules = build(Settings(analyst="builtin")).analyst
    return Engine(analyst, Limits(timeout_seconds=mode.timeout), fallback=rules).diagnose(case)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
def test_a_fault_costs_little_is_said_and_leaves_no_failure_without_a_diagnosis(mode: Mode) -> None:
    seen = outcome(mode)
    assert seen.requests <= mode.requests
    assert seen.seconds < MOST_SECONDS
    assert (seen.found.coverage.percentage, len(seen.found.candidates) > 0) == (100.0, True)
    if mode.says is None:
        assert (seen.found.partial, seen.found.analyst, seen.found.responsible_run_number) == (None, "openai", 5)
    else:
        assert re.search(mode.says, seen.said), seen.said


def test_the_table_has_at_least_45_modes() -> None:
    assert len(MODES) >= 45


if __name__ == "__main__":
    for name, mode in MODES.items():
        row = outcome(mode)
        print(f"| {name} | {row.requests} | {row.seconds:.1f} | {row.found.analyst} | {row.said} |")  # noqa: T201
