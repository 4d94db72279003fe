"""What the agent was told and how it is judged elsewhere, as they reach the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.openai.conftest import EXPECTATIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.openai_server import OpenAIServer

    Diagnose = Callable[..., tuple[pytest.RunResult, dict[str, Any]]]

RUBRIC = "The answer never promises anything for later."
NOW = "You are the assistant of a broker. Be brief and kind.\n"


@pytest.fixture(autouse=True)
def evals(suite: Path) -> None:
    (suite / "evals").mkdir()
    (suite / "evals" / "promises.md").write_text(RUBRIC, encoding="utf-8")
    (suite / "memory.refinery.yaml").write_text(f"evals: evals/*.md\n{EXPECTATIONS}", encoding="utf-8")
    (suite / "system.md").write_text(NOW, encoding="utf-8")


def test_inline_they_stand_in_the_questions_that_weigh_them(diagnose: Diagnose, server: OpenAIServer) -> None:
    _, found = diagnose()
    asked = {each.body["text"]["format"]["name"]: each.body["input"] for each in server.requests("POST", "/responses")}
    assert [name for name, text in asked.items() if RUBRIC in text] == ["GapAnswer"]
    assert NOW.strip() in asked["ConclusionAnswer"]
    assert "You are the assistant of a broker. Be brief.\n" in asked["ConclusionAnswer"]
    assert [each["only_in_file"] for each in found["stale_prompts"]] == [["Be brief and kind."]]


@pytest.mark.usefixtures("grouped")
def test_in_a_store_each_is_a_file_with_its_role(diagnose: Diagnose, server: OpenAIServer) -> None:
    result, found = diagnose()
    names = sorted(each.filename or "" for each in server.requests("POST", "/files"))
    assert [name for name in names if not name.startswith("g0")] == [
        "eval_promises.md",
        "evals.md",
        "expectations.md",
        "prompt_1_of_the_trace.md",
        "prompt_system.md",
    ]
    attached = [
        file
        for each in server.requests("POST", "/vector_stores/{vector_store_id}/file_batches")
        for file in each.body["files"]
    ]
    roles = sorted(file["attributes"]["role"] for file in attached)
    assert roles == ["eval", "evals", "expectations", "prompt", "prompt", "trace", "trace", "trace"]
    assert found["stale_prompts"]
    result.stdout.fnmatch_lines(["Prompt changed since recording: system.md (step *"])
