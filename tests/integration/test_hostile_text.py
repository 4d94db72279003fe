"""Whatever stands in a trace, or in what a model says of it, stays text in every format."""

from __future__ import annotations

import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from tests.runners import WITH_HTML

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOSTILE = (
    "<script>alert(1)</script>",
    "</style></script><img src=x onerror=alert(1)>",
    "<!-- ]]> -->",
    "[x](javascript:alert(1)) javascript:alert(1)",
    "\n::error file=x::one\n  ::add-mask::two\n##[set-env name=A]three ##vso[task.x]four",
    "%0A::error::five",
    "| a | b |\n|---|---|\n``` ` ```` \n# title",
    "\x1b[31mred\x1b]0;title\x07\x9b2J\x00\x08",
    "\u202eevil\u202c\u2066\u200b\ufeff\u2028\u2029\x85",
    "\ufffe\uffff\U0001fffe",
    "{{ 7 * 7 }} {% raw %} ${IFS} %s @everyone #1 https://evil.example",
    "\n--- a/x\n+++ b/../../.bashrc\n@@ -1 +1 @@\ndiff --git a/y b/y\n",
)
EVERYTHING = " ".join(HOSTILE)
# No fix is shown that repeats words of the case: between any six words in a row of it stands another.
FIX = EVERYTHING.replace(" ", " so ")
# A line of a megabyte, and half of a pair that is no character: what JSON may hold, and UTF-8 may not.
SAID = f"from now on {EVERYTHING} {'x' * 1_000_000} \ud800 end"

SUITE = """\
trace: trace.json
prompts: prompt.md
expectations:
  - id: hostile
    expect: {expect}
    business_context: {expect}
    checks:
      - output: {{not_contains: from now on}}
"""
ANALYST = """\
import json
from pathlib import Path

from pytest_refinery.analysis.schemas import (
    Conclusion, Confidence, Evidence, FailureType, Finding, Gap, GapAnalysis, GroupAnalysis, SuggestedFix
)

T, FIX = json.loads(Path(__file__).with_name("hostile.json").read_text("utf-8"))


class Hostile:
    name = T

    def analyse_group(self, case, group):
        run = group.run_ids[-1]
        found = Finding(run_id=run, what=T, failure_type=FailureType.PROMPT_ISSUE, rule=T, evidence=self.quotes(case))
        return GroupAnalysis(timeline=(T,), findings=(found,), runs_read=group.run_ids)

    def find_gaps(self, case, findings):
        return GapAnalysis(gaps=(Gap(expected=T, actual=T),), missing_context=(T,), wrong_assumptions=(T,))

    def conclude(self, case, findings, gaps):
        return Conclusion(
            failure_type=FailureType.PROMPT_ISSUE, cause=T, root_cause=T, responsible_run_id=case.trace.runs[-1].id,
            confidence=Confidence.HIGH, evidence=self.quotes(case), affected_components=(T,), executive_summary=T,
            suggested_fix=SuggestedFix(component=T, file=T, before="Be kind.", after="Be kind. " + FIX, why=T),
        )

    def quotes(self, case):
        return (Evidence(run_id=case.trace.runs[-1].id, quote=T, why=T),)


def pytest_refinery_analyst(name):
    return Hostile() if name == "hostile" else None
"""


@dataclass(frozen=True)
class Outputs:
    """All that a run left behind."""

    folder: Path
    terminal: list[str]

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=[("-p", "no:xdist"), ("-n2",)], ids=["plain", "n2"])
def outputs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    """One run on GitHub that writes everything there is, in colour-free text."""
    folder = tmp_path_factory.mktemp("hostile")
    runs = [
        {"id": f"1{EVERYTHING}", "name": f"agent {EVERYTHING}", "run_type": "chain", "inputs": {"input": EVERYTHING}},
        {
            "id": f"2{EVERYTHING}",
            "parent_run_id": f"1{EVERYTHING}",
            "name": f"model {SAID}",
            "run_type": "llm",
            "outputs": {"output": SAID},
            "error": SAID,
        },
    ]
    runs[0]["outputs"] = {"output": SAID}
    (folder / "trace.json").write_text(json.dumps(runs), encoding="utf-8")
    (folder / "hostile.json").write_text(json.dumps([EVERYTHING, FIX]), encoding="utf-8")
    (folder / "prompt.md").write_text("Be kind.\n", encoding="utf-8")
    (folder / "conftest.py").write_text(ANALYST, encoding="utf-8")
    expect = json.dumps(EVERYTHING.encode("utf-8", "replace").decode())
    (folder / "hostile.refinery.yaml").write_text(SUITE.format(expect=expect), encoding="utf-8")
    return Outputs(folder, _run(folder, request.param))


def _run(folder: Path, args: tuple[str, ...]) -> list[str]:
    environment = {
        **os.environ,
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(folder / "step.md"),
    }
    command = [
        *(sys.executable, "-m", "pytest", "--refinery", "--refinery-analyst", "hostile", "--refinery-report", "out"),
        *("--junitxml", "junit.xml", *WITH_HTML, "--html", "tests.html", "--self-contained-html", "-vv", *args),
    ]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode == 1, done.stdout.decode()[-3_000:] + done.stderr.decode()[-3_000:]
    return done.stdout.decode("utf-8").split("\n")


def terminal(outputs: Outputs) -> None:
    for line in outputs.terminal:
        assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co"} for character in line)
    commands = [line for line in outputs.terminal if line.lstrip().startswith("::")]
    assert [line.partition(",")[0] for line in commands] == [
        "::error file=" + str(outputs.folder / "hostile.refinery.yaml")
    ]
    assert not any("##[" in line or "##vso[" in line for line in outputs.terminal)
    assert max(map(len, outputs.terminal)) < 20_000


def annotation(outputs: Outputs) -> None:
    (command,) = [line for line in outputs.terminal if line.startswith("::error")]
    _, properties, data = command.split("::", 2)
    assert re.fullmatch(r"error file=[^,:]+,line=4,title=hostile", properties)
    # As GitHub reads it: what looks like an end of a line in the text is not one.
    assert "%250A" in data
    assert "::error::five" not in data.replace("%0A", "\n").splitlines()


def junit(outputs: Outputs) -> None:
    root = ET.fromstring(outputs.text("junit.xml"))  # noqa: S314
    tags = {element.tag for element in root.iter()}
    assert tags == {"testsuites", "testsuite", "testcase", "properties", "property", "failure", "system-out"}
    said = root.findtext(".//system-out") or ""
    assert "<script>alert(1)</script>" in said
    assert "Root cause" in said


def html_report(outputs: Outputs) -> None:
    assert_inert(outputs.text("tests.html"), scripts=1)


def page(outputs: Outputs) -> None:
    assert_inert(outputs.text("out/index.html"), scripts=None)


def markdown(outputs: Outputs) -> None:
    assert_inert_markdown(outputs.text("out/report.md"))


def step_summary(outputs: Outputs) -> None:
    assert_inert_markdown(outputs.text("step.md"))


def report_json(outputs: Outputs) -> None:
    report = json.loads(outputs.text("out/report.json"))
    (item,) = report["expectations"]
    assert item["diagnosis"]["root_cause"].startswith("<script>alert(1)</script>")
    # What names a file is what the suite has, not what somebody says.
    assert item["diagnosis"]["suggested_fix"]["file"] == "prompt.md"


def patch(outputs: Outputs) -> None:
    text = outputs.text("out/refinery-fix.patch")
    headers = [line for line in text.split("\n") if line.startswith(("diff ", "--- ", "+++ ", "rename ", "new file"))]
    assert headers[:3] == ["diff --git a/prompt.md b/prompt.md", "--- a/prompt.md", "+++ b/prompt.md"]
    assert len(headers) == 3
    git = shutil.which("git")
    if git is not None:
        command = [git, "apply", "--numstat", "out/refinery-fix.patch"]
        done = subprocess.run(command, cwd=outputs.folder, capture_output=True, text=True, check=True)
        assert [line.split("\t")[2] for line in done.stdout.splitlines()] == ["prompt.md"]


FORMATS: tuple[Callable[[Outputs], None], ...] = (
    terminal,
    annotation,
    junit,
    html_report,
    page,
    markdown,
    step_summary,
    report_json,
    patch,
)


@pytest.mark.parametrize("assert_is_inert", FORMATS, ids=lambda each: each.__name__)
def test_it_is_inert_in(assert_is_inert: Callable[[Outputs], None], outputs: Outputs) -> None:
    assert_is_inert(outputs)


@dataclass
class Elements(html.parser.HTMLParser):
    """Gathers the elements of a page with their attributes."""

    found: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def assert_inert(page: str, *, scripts: int | None) -> None:
    elements = Elements()
    elements.feed(page)
    for tag, attributes in elements.found:
        assert {name for name in attributes if name.startswith("on")} <= {"onclick"}, (tag, attributes)
        # The reload button of pytest-html.
        assert attributes.get("onclick") in {None, "location.reload()"}
        leads_to = [(attributes.get(name) or "").strip().lower() for name in ("href", "src", "action")]
        assert not any(where.startswith(("javascript:", "https://evil", "//evil")) for where in leads_to)
        assert (tag, attributes.get("src")) != ("img", "x")
    if scripts is not None:
        assert sum(tag == "script" for tag, _ in elements.found) == scripts
    assert "<script>alert(1)" not in page


def assert_inert_markdown(text: str) -> None:
    rendered = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text)
    elements = Elements()
    elements.feed(rendered)
    # <sub> is ours.
    allowed = set("h1 h2 p ul li strong em code pre table thead tbody tr th td blockquote sub".split())
    assert {tag for tag, _ in elements.found} <= allowed, rendered[:4_000]
    rows = [row.count("</td>") for row in rendered.split("<tr>")[2:]]
    assert set(rows) == {4}
    assert not any(unicodedata.category(character) in {"Cc", "Cf"} and character != "\n" for character in text)
