"""A secret in a trace stands in nothing that a run writes, shows or sends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.runners import WITH_HTML

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-proj-Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8"
PLAIN = "correct horse battery staple"
NAMED = "hunter2hunter3"
SECRETS = (KEY, PLAIN, NAMED, "Ab1Cd2Ef3", "battery staple")

TRACE = [
    {"role": "system", "content": f"Use the password: {NAMED} for the shop."},
    {"role": "user", "content": "Why did it fail?"},
    {
        "role": "assistant",
        "tool_calls": [{"id": "c1", "function": {"name": "shop", "arguments": json.dumps({"apiKey": NAMED})}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": f"Error: 401, key {KEY} was refused for {PLAIN}"},
    {"role": "assistant", "content": f"It failed: {KEY} and {PLAIN} were refused. It costs 9 euros from now on."},
]
EXPECTATIONS = """\
trace: talk.json
expectations:
  - id: fails
    expect: The agent keeps keys to itself.
    checks:
      - output: {contains: "42"}
      - output: {not_contains: sk-proj}
      - tools: {not_called: [shop]}
      - errors: none
  - id: is-undecided
    expect: The agent is polite.
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite whose trace holds secrets by their shape, by a name, and of the environment."""
    monkeypatch.setenv("SHOP_PASSWORD", PLAIN)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "step.md"))
    (pytester.path / "talk.json").write_text(json.dumps(TRACE), encoding="utf-8")
    (pytester.path / "talk.refinery.yaml").write_text(EXPECTATIONS, encoding="utf-8")
    return pytester.path


def written(suite: Path) -> dict[str, str]:
    """Return all that a run has written, by path."""
    paths = [path for path in suite.rglob("*") if path.is_file() and path.name != "talk.json"]
    return {str(path.relative_to(suite)): path.read_text(encoding="utf-8", errors="replace") for path in paths}


@pytest.mark.parametrize("arguments", [("-p", "no:xdist"), ("-n2",)], ids=["plain", "n2"])
def test_no_way_out_shows_a_secret(pytester: pytest.Pytester, suite: Path, arguments: tuple[str, ...]) -> None:
    result = pytester.runpytest(
        "--refinery",
        "--refinery-report",
        "out",
        "--junit-xml=junit.xml",
        "-vv",
        *WITH_HTML,
        "--html=page.html",
        *arguments,
    )
    result.assert_outcomes(failed=1, errors=1)
    ways = {"terminal": f"{result.stdout}\n{result.stderr}", **written(suite)}
    assert {"out/report.json", "out/report.md", "out/index.html", "junit.xml", "step.md", "page.html"} <= ways.keys()
    found = {name: [secret for secret in SECRETS if secret in text] for name, text in ways.items()}
    assert not {name: secrets for name, secrets in found.items() if secrets}
    assert "REMOVED" in ways["out/report.json"]


def test_a_marked_test_shows_none_either(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.refinery(expect="The agent keeps keys to itself.")
        def test_talk(refinery_trace):
            trace = refinery_trace.load("talk.json")
            assert "42" in str(trace.runs[-1].outputs)
        """
    )
    result = pytester.runpytest(
        "--refinery",
        "--refinery-report",
        "out",
        "--junit-xml=junit.xml",
        "-p",
        "no:xdist",
        "test_a_marked_test_shows_none_either.py",
    )
    result.assert_outcomes(failed=1)
    ways = {"terminal": str(result.stdout), **written(suite)}
    ways = {name: text for name, text in ways.items() if not name.endswith((".py", ".pyc"))}
    found = {name: [secret for secret in SECRETS if secret in text] for name, text in ways.items()}
    assert not {name: secrets for name, secrets in found.items() if secrets}


def test_checks_see_the_trace_as_it_is(pytester: pytest.Pytester, suite: Path) -> None:
    (suite / "talk.refinery.yaml").write_text(
        f"trace: talk.json\nexpectations:\n- {{id: a, expect: x, checks: [{{output: {{contains: {KEY}}}}}]}}\n",
        encoding="utf-8",
    )
    pytester.runpytest("--refinery", "-p", "no:xdist").assert_outcomes(passed=1)
