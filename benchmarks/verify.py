"""Whether fixes are confirmed and refuted that should be, and what a process that is killed leaves behind.

``python -m benchmarks.verify`` writes ``benchmarks/results/verify.{json,md}``.

The agents are graphs of LangGraph whose scripted model obeys the rules in its prompt file. Each mutant is an agent
whose prompt lacks one of eight rules, and a fix of one of five kinds, so that what should be said of it is known. All
of a verification is real (the copy, the patch, the runs of pytest), but that a run is a fork of a process that has the
libraries loaded: forty mutants in five seeds are some 2,500 runs. What is there already is not measured again: remove
``verify.json`` to start again; ``--seeds``, ``--kinds`` and ``--seconds`` do a part. ``--kills 50`` also kills the
command at so many random moments.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import itertools
import json
import os
import pkgutil
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import langgraph.graph  # noqa: F401  (loaded once for all forks)
import pytest

import pytest_refinery
from benchmarks import machine
from pytest_refinery import wiring
from pytest_refinery.analysis.records import ItemRecord
from pytest_refinery.verification import copy_guard
from pytest_refinery.verification.rerun import Patch, Verifier
from pytest_refinery.verification.scratch import Workshop
from pytest_refinery.verification.suite_runs import Suite, SuiteRuns

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = Path(__file__).parent / "results"
TRIALS, SEEDS = 5, 5
# A rule of the prompt, what the model says by it, and what it says without.
RULES = {
    "You have no memory between conversations.": ("I left them out of this list.", "I will do so from now on."),
    "Name the fee of every transfer.": ("It is done; the fee is 25 dollars.", "It is done."),
    "Give no investment advice.": ("I cannot advise you on that.", "Sell it all."),
    "Say when data is older than a day.": ("As of last week, 100 dollars.", "100 dollars."),
    "Hand changes of address over to a person.": ("A colleague will call you.", "Your address is changed."),
    "Ask which account is meant.": ("Which account do you mean?", "Your balance is 10 dollars."),
    "Quote the help article that you answer from.": ("According to article 12, yes.", "Yes."),
    "Never name another client.": ("I cannot speak of others.", "Mr Miller holds the same."),
}
KINDS = ("right", "useless", "breaks", "sometimes", "crashes")
MAY_BE = {
    "right": {"confirmed"},
    "useless": {"refuted", "inconclusive"},
    "breaks": {"refuted"},
    "sometimes": {"confirmed", "inconclusive"},
    "crashes": {"refuted"},
}
AGENT = """\
import random
from pathlib import Path

from langgraph.graph import END, START, MessagesState, StateGraph

RULES = {rules!r}
PROMPT = Path(__file__).parent / "prompts" / "system.md"


def model(told, question):
    rule, (good, bad) = list(RULES.items())[int(question)]
    if f"Not: {{rule}}" in told:
        return bad
    if f"Rhyme: {{rule}}" in told:
        raise ValueError("nothing rhymes with that")
    if f"Sometimes: {{rule}}" in told:
        return good if random.random() < 0.6 else bad
    return good if rule in told else bad


def chat(state):
    return {{"messages": [("ai", model(PROMPT.read_text("utf-8"), state["messages"][-1].content))]}}


graph = StateGraph(MessagesState).add_node("chat", chat).add_edge(START, "chat").add_edge("chat", END).compile()
"""


def write_project(folder: Path, missing: int) -> None:
    """Write the project whose prompt lacks one of the rules, and commit it."""
    (folder / "prompts").mkdir(parents=True)
    (folder / "agent.py").write_text(AGENT.format(rules=RULES), encoding="utf-8")
    rules = [rule for place, rule in enumerate(RULES) if place != missing]
    (folder / "prompts" / "system.md").write_text("\n".join([*rules, "Be kind."]) + "\n", encoding="utf-8")
    expectations = [
        f"  - id: rule-{place}\n    expect: It obeys.\n    inputs: {{messages: [[user, '{place}']]}}\n"
        f"    checks:\n      - output: {{contains: {good!r}}}\n"
        for place, (good, _) in enumerate(RULES.values())
    ]
    text = f"agent: agent:graph\nprompts: [prompts/*.md]\nexpectations:\n{''.join(expectations)}"
    (folder / "rules.refinery.yaml").write_text(text, encoding="utf-8")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "One"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)  # noqa: S607


def patch_of(kind: str, missing: int) -> str:
    """Return the fix of a kind for a prompt that lacks a rule, as a patch of its last line."""
    rules = list(RULES)
    last = rules[-1] if missing != len(rules) - 1 else rules[-2]
    added = {
        "right": [rules[missing]],
        "useless": ["Be brief."],
        "breaks": [rules[missing], f"Not: {rules[(missing + 1) % len(rules)]}"],
        "sometimes": [f"Sometimes: {rules[missing]}"],
        "crashes": [f"Rhyme: {rules[missing]}"],
    }[kind]
    lines = "".join(f"+{line}\n" for line in added)
    place = len(rules) - 1
    hunk = f"@@ -{place},2 +{place},{2 + len(added)} @@\n {last}\n Be kind.\n{lines}"
    return f"--- a/prompts/system.md\n+++ b/prompts/system.md\n{hunk}"


class ForkedRuns(SuiteRuns):
    """Runs pytest in a fork of this process, which has all libraries loaded and nothing of the project."""

    def _ended(self, command: list[str], variables: dict[str, str], place: Path, parent: int) -> str:  # noqa: ARG002
        drawn = random.random()
        process = os.fork()
        if process == 0:
            self._become(command, variables, place, drawn)
        _, status = os.waitpid(process, 0)
        return f"it ended with code {os.waitstatus_to_exitcode(status)}"

    def _become(self, command: list[str], variables: dict[str, str], place: Path, drawn: float) -> None:
        code = 1
        try:
            os.setsid()
            os.chdir(self.copy.folder)
            os.environ.clear()
            # All plugins of the environment but ours would be loaded thousands of times.
            os.environ.update(variables, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
            output = os.open(place / "output.txt", os.O_WRONLY | os.O_CREAT)
            os.dup2(output, 1)
            os.dup2(output, 2)
            sys.modules.pop(copy_guard.__name__)
            random.seed(drawn)
            code = int(pytest.main([*command[4:], "-p", "pytest_refinery.plugin"]))
        finally:
            os._exit(code)


def verify(kind: str, missing: int, seed: int, folder: Path) -> dict[str, Any]:
    """Return what is found about one mutant."""
    project = folder / f"{kind}-{missing}-{seed}"
    write_project(project, missing)
    random.seed(f"{kind} {missing} {seed}")
    suite = Suite(project, project)
    verifier = Verifier(Workshop(folder / "copies", "bench", lambda _: True), suite, TRIALS, lambda _: None, ForkedRuns)
    found = verifier.verify(_record(missing), Patch(patch_of(kind, missing), project))
    return {"kind": kind, "rule": missing, "seed": seed, **found.model_dump(mode="json")}


def _record(missing: int) -> ItemRecord:
    name = f"rule-{missing}"
    failed = {"name": "output.contains", "passed": False, "expected": "", "actual": ""}
    return ItemRecord.model_validate(
        {
            "nodeid": f"rules.refinery.yaml::{name}",
            "outcome": "failed",
            "expectation": {"id": name, "expect": "It obeys.", "file": "rules.refinery.yaml", "line": 1},
            "checks": [failed],
            "agent": {"target": "agent:graph", "wanted": 1, "shown": 1, "trials": []},
        }
    )


def kill(times: int, until: float, folder: Path) -> dict[str, Any]:
    """Kill the command at random moments; return what was found afterwards."""
    project, variables = _plain_project(folder)
    code = "import sys; from pytest_refinery.cli import main; sys.exit(main())"
    rest = ["verify", str(folder / "out"), "--fix", str(folder / "my.patch"), "--times", "1"]
    command = [sys.executable, "-c", code, *rest]
    began = time.monotonic()
    whole = subprocess.run(command, cwd=project, env=variables, check=False, capture_output=True, text=True)
    seconds = time.monotonic() - began
    if "0 of 1 -> 1 of 1" not in whole.stdout:
        sys.exit(f"{whole.stdout}{whole.stderr}")
    before, counts = _state(project), Counter[str]()
    os.environ["XDG_CACHE_HOME"] = variables["XDG_CACHE_HOME"]
    random.seed(began)
    for _ in range(times):
        if time.monotonic() > until:
            break
        counts["times"] += 1
        with subprocess.Popen(command, cwd=project, env=variables, stdout=-3, stderr=-3) as process:
            try:
                process.wait(random.uniform(0, seconds))
            except subprocess.TimeoutExpired:
                process.kill()
                counts["killed"] += 1
        counts["working tree changed"] += _without_git(_state(project)) != _without_git(before)
        # What the next run begins with.
        wiring.remove_leftover_copies()
        counts["processes left"] += _is_living(str(folder / "cache"))
        counts["repository changed"] += _state(project) != before
        counts["copies left"] += any((folder / "cache" / "pytest-refinery" / "copies").iterdir())
        counts["temporary files left"] += any((folder / "temporary").iterdir())
    return dict(counts)


def _plain_project(folder: Path) -> tuple[Path, dict[str, str]]:
    """Write a project whose agent loads quickly, its report and a patch; return it, and the environment."""
    project = folder / "project"
    write_project(project, 0)
    head = AGENT.format(rules=RULES).partition("def chat(")[0].replace("from langgraph", "# from langgraph")
    answer = "def answer(messages):\n    return model(PROMPT.read_text('utf-8'), messages[-1][1])\n"
    (project / "agent.py").write_text(head + answer, encoding="utf-8")
    file = project / "rules.refinery.yaml"
    file.write_text(file.read_text("utf-8").replace("agent:graph", "agent:answer"), encoding="utf-8")
    (folder / "my.patch").write_text(patch_of("right", 0), encoding="utf-8")
    (folder / "temporary").mkdir()
    variables = {
        **os.environ,
        "XDG_CACHE_HOME": str(folder / "cache"),
        "TMPDIR": str(folder / "temporary"),
        "PYTEST_ADDOPTS": "-p no:randomly -p no:langsmith_plugin -p no:cacheprovider",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    report = ["-m", "pytest", "--refinery", "--refinery-no-diagnose", "--refinery-report", str(folder / "out")]
    subprocess.run([sys.executable, *report], cwd=project, env=variables, check=False, capture_output=True)
    return project, variables


def _state(project: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in project.rglob("*") if path.is_file()}


def _without_git(state: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in state.items() if "/.git/" not in name}


def _is_living(place: str) -> bool:
    """Tell whether a process about a copy is still there a second later."""
    for _ in range(10):
        commands = [_command(path) for path in Path("/proc").iterdir() if path.name.isdigit()]
        if not any(place in command for command in commands):
            return False
        time.sleep(0.1)
    return True


def _command(path: Path) -> str:
    try:
        return (path / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def page(found: dict[str, Any]) -> str:
    """Return the results as a page."""
    counts = Counter((each["kind"], each["status"]) for each in found["mutants"])
    statuses = ("confirmed", "refuted", "inconclusive", "not_possible")
    rows = [f"| {kind} | {' | '.join(str(counts[kind, each]) for each in statuses)} |" for kind in KINDS]
    wrong = [each for each in found["mutants"] if each["status"] not in MAY_BE[each["kind"]]]
    counted = Counter(each["status"] for each in wrong)
    lines = [
        f"# Verified fixes\n\n{found['machine']}.\n",
        f"{len(found['mutants'])} of {len(KINDS) * len(RULES) * SEEDS} verifications were measured: eight rules that a",
        f"prompt lacks, five kinds of fixes, five seeds; each is {TRIALS} trials without and {TRIALS} with it.\n",
        f"| the fix | {' | '.join(statuses)} |\n|---|{'---|' * len(statuses)}",
        *rows,
        f"\nWrongly confirmed: {counted['confirmed']}. Wrongly refuted: {counted['refuted']}.",
        f"Not possible: {counted['not_possible']}.",
    ]
    if kills := found.get("kills"):
        left = {name: count for name, count in kills.items() if name not in {"times", "killed"}}
        lines += [
            f"\nThe command was begun {kills['times']} times, and killed by SIGKILL at a random moment before its end",
            f"{kills['killed']} times. How often afterwards:",
            f"{', '.join(f'{name} {count}' for name, count in left.items())}.",
        ]
    return "\n".join(lines) + "\n"


def _modules() -> Iterator[str]:
    for module in pkgutil.walk_packages(pytest_refinery.__path__, "pytest_refinery."):
        yield module.name


def main() -> None:
    """Measure, and add it to the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(SEEDS)))
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin nothing after so many")
    parser.add_argument("--kills", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    for name in _modules():
        importlib.import_module(name)
    # What an agent's first call would load.
    wiring.build_captures()
    gc.freeze()
    with tempfile.TemporaryDirectory() as folder:
        for wanted in itertools.product(given.kinds, range(len(RULES)), given.seeds):
            is_known = wanted in {(each["kind"], each["rule"], each["seed"]) for each in _known()["mutants"]}
            if not is_known and time.monotonic() < began + given.seconds:
                _add({"mutants": [verify(*wanted, Path(folder))]})
        if given.kills:
            (Path(folder) / "kills").mkdir()
            _add({"kills": kill(given.kills, began + given.seconds, Path(folder) / "kills")})
    (RESULTS / "verify.md").write_text(page(_known()), encoding="utf-8")
    print(page(_known()))


def _known() -> dict[str, Any]:
    path = RESULTS / "verify.json"
    found: dict[str, Any] = {"mutants": [], "kills": {}}
    return found | (json.loads(path.read_text("utf-8")) if path.exists() else {})


def _add(new: dict[str, Any]) -> None:
    """Add to the results what was measured; another part may have done so meanwhile."""
    found = _known()
    found["machine"] = machine.sentence()
    found["mutants"] += new.get("mutants", [])
    for name, count in new.get("kills", {}).items():
        found["kills"][name] = found["kills"].get(name, 0) + count
    (RESULTS / "verify.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
