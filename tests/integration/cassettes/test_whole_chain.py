"""Everything that an item asks: its trace in LangSmith, the agent's own calls, the judge, the diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.integration.cassettes.conftest import cassettes_in, items_of, report_without_times
from tests.langsmith_server import KEY, LangSmithServer, traces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.openai_server import OpenAIServer

Run: TypeAlias = "Callable[..., pytest.RunResult]"

AGENT = """
import httpx2

def answer(question):
    response = httpx2.post(
        "{base_url}/responses",
        json={{"model": "gpt-4o", "input": question}},
        headers={{"Authorization": "Bearer sk-test-0123456789abcdef"}},
    )
    return response.json()["output"][-1]["content"][0]["text"]
"""


@pytest.fixture
def langsmith() -> Iterator[LangSmithServer]:
    with LangSmithServer() as server:
        yield server


def test_a_trace_in_langsmith_replays_without_its_key(
    suite: Path,
    record: Run,
    replay: Run,
    langsmith: LangSmithServer,
    monkeypatch: pytest.MonkeyPatch,
    plugin_args: tuple[str, ...],
) -> None:
    trace = langsmith.store.add(traces.made(5))
    (suite / "memory.refinery.yaml").write_text(
        f"project: default\nexpectations:\n  - id: fetched\n    expect: It counts.\n    trace: {trace.id}\n"
        "    checks: [{output: {contains: no such words}}]\n",
        encoding="utf-8",
    )
    with monkeypatch.context() as patch:
        patch.setenv("LANGSMITH_ENDPOINT", langsmith.endpoint)
        patch.setenv("LANGSMITH_API_KEY", KEY)
        record("--refinery-report=recorded").assert_outcomes(failed=1)
    (text,) = map(bytes.decode, cassettes_in(suite).values())
    assert KEY not in text
    assert f"LANGSMITH_ENDPOINT: {langsmith.endpoint}" in text
    asked = len(langsmith.log)
    replay("--refinery-report=replayed", "--refinery-strict-cassettes", *plugin_args).assert_outcomes(failed=1)
    assert report_without_times(suite / "replayed") == report_without_times(suite / "recorded")
    assert len(langsmith.log) == asked


def test_trials_of_an_agent_keep_their_answers_apart(
    suite: Path, record: Run, replay: Run, server: OpenAIServer, plugin_args: tuple[str, ...]
) -> None:
    (suite / "shop.py").write_text(AGENT.format(base_url=server.base_url), encoding="utf-8")
    (suite / "memory.refinery.yaml").write_text(
        "agent: shop:answer\nexpectations:\n  - id: asked\n    expect: It promises nothing.\n    trials: 2\n"
        '    inputs: {question: "Will you do so from now on?"}\n',
        encoding="utf-8",
    )
    record("--refinery-report=recorded").assert_outcomes(passed=1)
    (text,) = map(bytes.decode, cassettes_in(suite).values())
    assert "trial: 1" in text
    assert "trial: 2" in text
    asked = len(server.log)
    replay("--refinery-report=replayed", "--refinery-strict-cassettes", *plugin_args).assert_outcomes(passed=1)
    assert report_without_times(suite / "replayed") == report_without_times(suite / "recorded")
    assert len(items_of(suite / "replayed")["asked"]["agent"]["trials"]) == 2
    assert len(server.log) == asked
