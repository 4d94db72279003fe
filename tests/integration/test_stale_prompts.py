"""A prompt file that has changed since the trace was recorded, as the reports of a run say it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.integration.conftest import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

ADDED = "You keep nothing between conversations."
SHOWN = "prompts/system.md (step 1 had another text)"


def test_a_changed_prompt_is_named_in_every_report(suite: Path, run: Callable[..., pytest.RunResult]) -> None:
    (suite / "prompts" / "system.md").write_text(f"{SYSTEM}\n{ADDED}\n", encoding="utf-8")
    result = run("--refinery-report", "out", "-k", "admits", "-v")
    result.assert_outcomes(failed=1)
    told = " ".join(str(result.stdout).split())
    assert f"Prompt changed since recording: {SHOWN} + {ADDED} " in told
    (item,) = json.loads((suite / "out" / "report.json").read_text("utf-8"))["expectations"]
    assert item["diagnosis"]["stale_prompts"] == [
        {"file": "prompts/system.md", "run_id": "0", "run_number": 1, "only_in_trace": [], "only_in_file": [ADDED]}
    ]
    page = (suite / "out" / "report.md").read_text("utf-8")
    escaped = SHOWN.replace("(", r"\(").replace(")", r"\)")
    assert f"**Prompt changed since recording:** {escaped}" in page
    assert f"+{ADDED}" in page.replace("+ ", "+")


def test_a_prompt_that_is_as_it_was_is_not(suite: Path, run: Callable[..., pytest.RunResult]) -> None:
    template = SYSTEM.replace("a broker", "{{ company }}") + "{% if vip %} Say their name.{% endif %}"
    (suite / "prompts" / "system.md").write_text(template, encoding="utf-8")
    result = run("-k", "admits")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("Prompt changed *")
