"""What a run costs: said before, shown meanwhile, limited, cleaned up after."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery import cli
from tests.integration.openai.conftest import EXPECTATIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.openai_server import OpenAIServer

    Diagnose = Callable[..., tuple[pytest.RunResult, dict[str, Any]]]

JUDGED = "  - id: judged\n    expect: The agent is polite.\n    trials: 2\n"


@pytest.mark.parametrize("workers", [("-p", "no:xdist"), ("-n2",)])
def test_a_plan_says_what_it_would_cost_and_spends_nothing(
    pytester: pytest.Pytester, suite: Path, server: OpenAIServer, workers: tuple[str, ...]
) -> None:
    (suite / "memory.refinery.yaml").write_text(EXPECTATIONS + JUDGED, encoding="utf-8")
    result = pytester.runpytest("--refinery", "--refinery-plan", "--refinery-report", "out", *workers)
    result.assert_outcomes(failed=1, skipped=1)
    assert server.log == []
    plan = json.loads((suite / "out" / "report.json").read_text(encoding="utf-8"))["session"]["plan"]
    assert (plan["items"], plan["calls"], plan["tokens_per_minute"]) == (2, 5, 1_000_000)
    assert 0 < plan["least_dollars"] < plan["most_dollars"]
    printed = " ".join(" ".join(result.outlines).split())
    assert "--refinery-plan spends nothing." in printed
    assert "2 items, 5 calls to gpt-6-luna, about " in printed
    assert "out; up to 4 calls and " in printed


def test_a_plan_is_about_right(pytester: pytest.Pytester, diagnose: Diagnose, suite: Path) -> None:
    pytester.runpytest("--refinery", "--refinery-plan", "--refinery-report", "plan", "-p", "no:xdist")
    plan = json.loads((suite / "plan" / "report.json").read_text(encoding="utf-8"))["session"]["plan"]
    _, found = diagnose()
    used = sum(stage["input_tokens"] for stage in found["stages"])
    assert plan["calls"] == sum(stage["calls"] for stage in found["stages"])
    assert plan["input_tokens"] == pytest.approx(used, rel=0.15)


def test_a_plan_says_what_judged_items_cost_that_then_fail(pytester: pytest.Pytester, suite: Path) -> None:
    judged = "".join(f"  - id: judged-{number}\n    expect: The agent is polite, {number}.\n" for number in range(2))
    (suite / "memory.refinery.yaml").write_text(EXPECTATIONS + judged, encoding="utf-8")
    found = {}
    for folder, options in {"plan": ("--refinery-plan",), "spent": ()}.items():
        pytester.runpytest("--refinery", "--refinery-report", folder, "-p", "no:xdist", *options)
        found[folder] = json.loads((suite / folder / "report.json").read_text(encoding="utf-8"))
    plan, items = found["plan"]["session"]["plan"], found["spent"]["expectations"]
    assert [item["outcome"] for item in items] == ["failed"] * 3
    stages = [stage for item in items for stage in item["diagnosis"]["stages"]]
    stages += [item["judge"]["cost"] for item in items if item["judge"]] + [
        found["spent"]["session"]["summary"]["cost"]
    ]
    used = sum(stage["input_tokens"] for stage in stages)
    assert plan["calls"] + plan["calls_if_failed"] == sum(stage["calls"] for stage in stages)
    assert plan["input_tokens"] + plan["input_tokens_if_failed"] == pytest.approx(used, rel=0.15)


def test_a_plan_counts_what_the_file_search_brings(
    pytester: pytest.Pytester, diagnose: Diagnose, grouped: Path
) -> None:
    options = ("--refinery-context", "file_search")
    pytester.runpytest("--refinery", "--refinery-plan", "--refinery-report", "plan", "-p", "no:xdist", *options)
    plan = json.loads((grouped / "plan" / "report.json").read_text(encoding="utf-8"))["session"]["plan"]
    _, found = diagnose(*options)
    used = sum(stage["input_tokens"] for stage in found["stages"])
    assert plan["calls"] == sum(stage["calls"] for stage in found["stages"])
    assert plan["input_tokens"] == pytest.approx(used, rel=0.15)


def test_a_price_that_nobody_knows_is_said_to_be_unknown(
    pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://models.example/v1")
    result = pytester.runpytest("--refinery", "--refinery-plan", "--refinery-model", "our-own", "-p", "no:xdist")
    assert "cost unknown. Nothing was spent." in " ".join(" ".join(result.outlines).split())


def test_a_model_of_ones_own_costs_nothing_on_a_server_of_ones_own(pytester: pytest.Pytester, suite: Path) -> None:
    options = ("--refinery-plan", "--refinery-model", "our-own", "--refinery-report", "out", "-p", "no:xdist")
    pytester.runpytest("--refinery", *options)
    plan = json.loads((suite / "out" / "report.json").read_text(encoding="utf-8"))["session"]["plan"]
    assert (plan["least_dollars"], plan["most_dollars"]) == (0, 0)


def test_plain_lines_say_how_far_it_is(diagnose: Diagnose, grouped: Path) -> None:
    result, _ = diagnose("-v")
    result.stdout.fnmatch_lines(
        [
            "refinery: admits: trace analysis, 0 of 3 groups",
            "refinery: admits: trace analysis, 3 of 3 groups",
            "refinery: admits: gap analysis",
            "refinery: admits: diagnosis",
        ]
    )


def test_quiet_runs_say_nothing_meanwhile(diagnose: Diagnose) -> None:
    result, _ = diagnose("-q")
    result.stdout.no_fnmatch_line("refinery: admits*")


def test_a_session_stays_below_its_ceiling(diagnose: Diagnose, server: OpenAIServer, grouped: Path) -> None:
    _, found = diagnose("--refinery-max-tokens", "6000")
    assert 0 < server.tokens_used <= 6_000
    assert "The session may use 6,000 tokens (--refinery-max-tokens): " in found["partial"]


def test_workers_share_the_ceiling(pytester: pytest.Pytester, suite: Path, server: OpenAIServer) -> None:
    more = "".join(EXPECTATIONS.partition("expectations:\n")[2].replace("admits", f"again-{n}") for n in range(5))
    (suite / "memory.refinery.yaml").write_text(EXPECTATIONS + more, encoding="utf-8")
    pytester.runpytest("--refinery", "-n2", "--refinery-max-tokens", "9000").assert_outcomes(failed=6)
    assert 4_000 < server.tokens_used <= 9_000


def test_cleanup_lists_and_removes_what_is_left(
    diagnose: Diagnose, server: OpenAIServer, grouped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    diagnose()
    capsys.readouterr()
    assert cli.main(["cleanup"]) == 0
    assert (
        capsys.readouterr().out == "Nothing of ours is left with the account that was not used within the last hour.\n"
    )
    assert cli.main(["cleanup", "--list", "--all"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line[:13].strip() for line in listed] == ["vector store", *["file"] * 6]
    assert cli.main(["cleanup", "--all"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "7 of 7 removed."
    assert cli.main(["cleanup", "--all"]) == 0
    assert capsys.readouterr().out == "Nothing of ours is left with the account.\n"
    assert server.app.files.listed(_any_request())["data"] == []


def test_cleanup_leaves_what_is_not_ours(
    diagnose: Diagnose, server: OpenAIServer, grouped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from openai import OpenAI

    theirs = OpenAI(base_url=server.base_url, api_key="theirs").vector_stores.create(name="theirs")
    diagnose()
    cli.main(["cleanup", "--all"])
    stores = server.app.stores.listed(_any_request())["data"]
    assert [store["id"] for store in stores] == [theirs.id]


def _any_request() -> Any:  # noqa: ANN401  (the server's own)
    from tests.openai_server.messages import Request

    return Request("GET", "")
