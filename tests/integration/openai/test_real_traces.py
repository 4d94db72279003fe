"""Traces cut from real ones, diagnosed over the loopback service."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_refinery import wiring
from pytest_refinery.analysis.ports import Case
from pytest_refinery.settings import Settings
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import prompts
from tests.data_paths import require
from tests.integration.openai.conftest import KEY
from tests.openai_server import OpenAIServer

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_refinery.analysis.schemas import Diagnosis

LIMIT = 30_000


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An account of which nothing is known yet."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return monkeypatch


def case(runs: int) -> Case:
    path = require("langsmith_tau", "nested", "task_2.json.gz")
    trace = JsonFiles().load(path.name, base=path.parent)
    trace = trace.model_copy(update={"runs": trace.runs[:runs]})
    return Case(trace=trace, expect="The agent verifies who it talks to.", prompts=prompts.extract(trace))


def diagnosed(server: OpenAIServer, account: pytest.MonkeyPatch, runs: int, settings: Settings) -> Diagnosis:
    account.setenv("OPENAI_BASE_URL", server.base_url)
    return wiring.build(replace(settings, analyst="openai")).engine.diagnose(case(runs))


@pytest.mark.parametrize(("runs", "groups"), [(7, 1), (14, 3), (35, 6)])
def test_groups_of_six_are_searched_whole(account: pytest.MonkeyPatch, runs: int, groups: int) -> None:
    with OpenAIServer() as server:
        found = diagnosed(server, account, runs, Settings(group_size_runs=6, context="file_search", tpm=1_000_000))
        names = [each.filename or "" for each in server.requests("POST", "/files")]
        calls = len(server.requests("POST", "/responses"))
    assert sorted(name[:3] for name in names if name.startswith("g")) == [f"g0{n}" for n in range(1, groups + 1)]
    assert (found.coverage.percentage, found.partial, found.notes) == (100.0, None, ())
    assert calls == groups + 2


@pytest.mark.parametrize("runs", [7, 14, 35, 78])
def test_by_default_nothing_waits_for_the_limit(account: pytest.MonkeyPatch, runs: int) -> None:
    with OpenAIServer(tpm=LIMIT, tpm_model="sliding") as server:
        found = diagnosed(server, account, runs, Settings(tpm=LIMIT))
        assert server.refusals == []
        assert server.tokens_used < LIMIT / 2
    assert found.coverage.percentage == 100.0
    assert sum(stage.seconds_waited for stage in found.stages) < 0.5
