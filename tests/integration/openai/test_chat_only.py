"""The example suite with judge and diagnosis against a service that has Chat Completions alone, then from cassettes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from examples.support_agent import record_cassettes
from tests.integration.openai.conftest import KEY
from tests.openai_server import OpenAIServer, RunReader

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from tests.openai_server import View

ROOT = Path(__file__).resolve().parents[3]
READER = RunReader(markers=("(?i)error", "from now on", "1,842.60"))


def brain(view: View) -> Mapping[str, Any] | str:
    """Judge as the recordings of the example do, and diagnose by markers."""
    return record_cassettes.answer(view) if view.schema_name == "JudgeAnswer" else READER(view)


def outcomes(pytester: pytest.Pytester, *options: str) -> dict[str, tuple[str, str | None, str | None]]:
    """Run the suite; return for each expectation its outcome, who judged it, and who diagnosed it."""
    pytester.runpytest("--refinery", "--refinery-report=out", "-p", "no:xdist", *options, "examples/support_agent")
    report = json.loads((pytester.path / "out" / "report.json").read_text(encoding="utf-8"))
    return {
        each["nodeid"].rpartition("::")[2]: (
            each["outcome"],
            (each["judge"] or {}).get("analyst"),
            (each["diagnosis"] or {}).get("analyst"),
        )
        for each in report["expectations"]
        if each["expectation"]
    }


def test_the_examples_are_judged_and_diagnosed_over_chat_and_replayed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "examples" / "support_agent", pytester.path / "examples" / "support_agent")
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("REFINERY_TPM", "unlimited")
    with OpenAIServer(brain=brain, missing=("/responses",)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        live = outcomes(pytester, "--refinery-record=all")
        asked = [each.path for each in server.log]
    assert asked.count("/chat/completions") > asked.count("/responses") > 0
    failed = {name: seen for name, seen in live.items() if seen[0] == "failed"}
    assert len(failed) >= 5
    assert {seen[2] for seen in failed.values()} == {"openai"}
    assert {live[name][0] for name in ("says-what-happens-next", "does-not-reassure-without-grounds")} == {
        "passed",
        "failed",
    }
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert outcomes(pytester, "--refinery-record=none") == live
