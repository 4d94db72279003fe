"""The code on the pages, run as its readers would run it."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
TRACE = [{"id": "1", "name": "agent", "run_type": "chain", "outputs": {"output": "Hello. I will do so from now on."}}]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)


@pytest.fixture
def traces(pytester: pytest.Pytester) -> Path:
    folder = pytester.mkdir("traces")
    for name in ("cash-sweep.json", "hello.json"):
        (folder / name).write_text(json.dumps(TRACE), encoding="utf-8")
    pytester.mkdir("prompts").joinpath("system.md").write_text("Be helpful.\n", encoding="utf-8")
    return pytester.path


def test_python_tests_are_diagnosed_as_the_page_says(pytester: pytest.Pytester, traces: Path) -> None:
    marked, captured, recorded = blocks("how-to/python-tests.md", "python")
    helpers = """

def find_order(number):
    return {}


def answer(order):
    return "It is on its way."


def support_agent(question):
    return answer(find_order(7))


"""
    (traces / "test_page.py").write_text(f"{marked}{helpers}{captured}\n\n{recorded}", encoding="utf-8")
    result = pytester.runpytest("--refinery", "-p", "no:randomly")
    result.assert_outcomes(failed=3)
    assert sum(line.startswith("Root cause ") for line in result.outlines) == 3


@pytest.fixture
def shop(pytester: pytest.Pytester) -> Path:
    """The agent of the page on running agents, and a recorded trace of it."""
    agent, recording = blocks("how-to/run-the-agent.md", "python")
    for name, code in (("assistant", agent), ("recording", recording)):
        path = pytester.path / "shop" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(code, encoding="utf-8")
    late = {**TRACE[0], "inputs": {"question": "Where is order 7?"}}
    pytester.mkdir("traces").joinpath("late-order.json").write_text(json.dumps([late]), encoding="utf-8")
    return pytester.path


@pytest.mark.parametrize("index", range(3))
def test_agents_are_run_as_the_page_says(pytester: pytest.Pytester, shop: Path, index: int) -> None:
    (shop / "shop.refinery.yaml").write_text(blocks("how-to/run-the-agent.md", "yaml")[index], encoding="utf-8")
    pytester.runpytest("--refinery").assert_outcomes(passed=1)


def test_an_agent_records_by_hand_as_the_page_says(pytester: pytest.Pytester, shop: Path) -> None:
    file = blocks("how-to/run-the-agent.md", "yaml")[1].replace("shop.assistant:", "shop.recording:")
    (shop / "shop.refinery.yaml").write_text(f"{file}      - tools: {{called: find_order}}\n", encoding="utf-8")
    pytester.runpytest("--refinery").assert_outcomes(passed=1)


def test_hooks_work_as_the_page_says(pytester: pytest.Pytester, traces: Path) -> None:
    check, _, analyst, diagnosed = blocks("reference/hooks.md", "python")
    file, _ = blocks("reference/hooks.md", "yaml")
    (traces / "house_rules.py").write_text(
        "from pytest_refinery.analysts.rules.analyst import RulesAnalyst\n\n\n"
        "class HouseAnalyst(RulesAnalyst):\n    name = 'house'\n",
        encoding="utf-8",
    )
    (traces / "conftest.py").write_text(f"{check}\n\n{analyst}\n\n{diagnosed}", encoding="utf-8")
    (traces / "hello.refinery.yaml").write_text(file, encoding="utf-8")
    pytester.syspathinsert()
    pytester.runpytest("--refinery").assert_outcomes(passed=1)
    (traces / "hello.refinery.yaml").write_text(file.replace("greets: Hello", "greets: Goodbye"), encoding="utf-8")
    result = pytester.runpytest("--refinery", "--refinery-analyst", "house", "-s")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*hello.refinery.yaml::says-hello * 1", "*no 'Goodbye' in the answer*", "*confidence *, by house"]
    )


def test_a_trace_source_works_as_the_page_says(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(blocks("reference/hooks.md", "python")[1])
    file = blocks("reference/hooks.md", "yaml")[1]
    (pytester.path / "seven.refinery.yaml").write_text(file, encoding="utf-8")
    (pytester.path / "eight.refinery.yaml").write_text(file.replace("archive:7", "archive:8"), encoding="utf-8")
    with sqlite3.connect(pytester.path / "archive.db") as database:
        database.execute("create table steps (trace, id, kind, name, said)")
        database.execute("insert into steps values ('7', 's1', 'llm', 'desk', 'Goodbye.')")
    result = pytester.runpytest("--refinery")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*archive.db has no trace 8.*"])


class _House(BaseHTTPRequestHandler):
    """A model of somebody's own: it finds nothing wrong but the last run."""

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["content-length"])))
        wanted = set(question["schema"]["properties"])
        found: dict[str, object] = {"findings": [], "gaps": []}
        if "decisive_run" in wanted:
            found |= {"decisive_run": 1, "failure_type": "prompt_issue", "root_cause": "It promised too much."}
        answer = {"text": json.dumps(found), "tokens_in": 100, "tokens_out": 10, "cut": False}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (as http.server)
        """Write nothing."""


def test_a_client_of_ones_own_works_as_the_page_says(
    pytester: pytest.Pytester, traces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(traces / "cache"))
    (code,) = blocks("how-to/use-another-model.md", "python")
    with ThreadingHTTPServer(("127.0.0.1", 0), _House) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        (traces / "conftest.py").write_text(code.replace("localhost:9000", f"127.0.0.1:{server.server_port}"), "utf-8")
        file = "trace: traces/hello.json\nexpectations:\n- expect: It greets.\n  checks: [output: {contains: Bye}]\n"
        (traces / "hello.refinery.yaml").write_text(file, encoding="utf-8")
        result = pytester.runpytest("--refinery", "--refinery-model", "house")
        server.shutdown()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*It promised too much.*"])
    assert "330 tokens" in result.stdout.str()
