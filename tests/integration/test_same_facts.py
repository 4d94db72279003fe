"""The same facts in every format, however the suite runs; each compared whole with a file in ``expected``.

``EXPECTED=write pytest tests/integration/test_same_facts.py`` writes the files again; read what changed before it is
committed.
"""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import write_suite
from tests.runners import WITH_HTML

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPECTED = Path(__file__).parent / "expected"
RUNS = {
    "plain": ("-p", "no:xdist"),
    "n0": ("-n0",),
    "n2": ("-n2",),
}


@pytest.fixture(scope="module", params=["terminal", "ci"])
def is_ci(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "ci")


@pytest.fixture(scope="module", params=list(RUNS))
def outputs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, *, is_ci: bool) -> dict[str, str]:
    """All that one run leaves behind, without what differs from run to run: places, times, versions, workers."""
    folder = tmp_path_factory.mktemp("suite")
    write_suite(folder)
    environment = {
        **os.environ,
        **({"CI": "true"} if is_ci else {}),
        "COLUMNS": "80",
        "PYTEST_ADDOPTS": f"{os.environ['PYTEST_ADDOPTS']} -p no:cacheprovider",
    }
    command = [
        *(sys.executable, "-m", "pytest", "--refinery", "--refinery-report", "out", "--color=no", *RUNS[request.param]),
        *(
            "--junitxml",
            "junit.xml",
            "-o",
            "junit_family=xunit1",
            *WITH_HTML,
            "--html",
            "tests.html",
            "--self-contained-html",
        ),
    ]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    found = {
        "terminal-ci.txt" if is_ci else "terminal.txt": "\n".join(terminal(done.stdout)),
        "junit.txt": "\n".join(junit(folder / "junit.xml")),
        "pytest-html.txt": "\n".join(pytest_html(folder / "tests.html")),
        "report.md": (folder / "out" / "report.md").read_text(encoding="utf-8"),
        "report.json": (folder / "out" / "report.json").read_text(encoding="utf-8"),
        "page.txt": "\n".join(page(folder / "out" / "index.html")),
        "refinery-fix.patch": (folder / "out" / "refinery-fix.patch").read_text(encoding="utf-8"),
    }
    return {name: without_chance(text, folder) for name, text in found.items()}


def without_chance(text: str, folder: Path) -> str:
    text = text.replace(str(folder), "<suite>").replace(version("pytest-refinery"), "<version>")
    text = re.sub(r'("seconds(?:_waited)?": )[\d.e-]+', r"\g<1>0.0", text)
    return re.sub(r"\d+\.\d+ ?s\b", "0.0 s", text).rstrip() + "\n"


def terminal(text: str) -> Iterator[str]:
    """Yield what pytest prints once the tests have run."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if re.fullmatch(r"=+ ERRORS =+", line))
    # Under xdist each failure begins with the name of its worker; lines about other files are as long as their names.
    others = re.compile(r"\[gw|-+ ([Gg]enerated) ")
    return (line for line in lines[start:-1] if not others.match(line))


def junit(path: Path) -> Iterator[str]:
    """Yield each test case, its properties and its texts."""
    for case in sorted(ET.parse(path).getroot().iter("testcase"), key=lambda case: int(case.get("line") or 0)):  # noqa: S314
        yield f"## {case.get('name')} ({case.get('file')}:{case.get('line')})"
        yield from (f"{each.get('name')} = {each.get('value')}" for each in case.iter("property"))
        for tag in ("failure", "error", "system-out"):
            for element in case.iter(tag):
                yield f"<{tag}> {element.get('message') or ''}"
                yield element.text or ""


def pytest_html(path: Path) -> Iterator[str]:
    """Yield the log of each test that pytest-html shows, and what it links to."""
    blob = re.search(r'data-jsonblob="([^"]*)"', path.read_text(encoding="utf-8"))
    assert blob is not None
    tests: dict[str, list[dict[str, Any]]] = json.loads(html.unescape(blob[1]))["tests"]
    for name, (test,) in sorted(tests.items()):
        yield f"## {name}: {test['result']}"
        log = html.unescape(test["log"]).replace("No log output captured.", "")
        yield "\n".join(line for line in log.splitlines() if not line.startswith("[gw"))
        yield from (f"<{extra['format_type']}> {extra['name']}" for extra in test["extras"])


def page(path: Path) -> Iterator[str]:
    """Yield the words of the page, without what it draws."""
    text = re.sub(r"(?s)<(script|style|svg).*?</\1>", "", path.read_text(encoding="utf-8"))
    words = (" ".join(html.unescape(each).split()) for each in re.split(r"<[^>]+>", text))
    return filter(None, words)


FACTS = (
    "The agent says that it cannot keep preferences between conversations.",
    "Clients believed that their exclusions were permanent.",
    "The agent promises something for later",
    "Done. I will exclude all cash sweep redemptions from now on.",
    "You have no memory: nothing is kept from one conversation to the next",
    "traces/gone.json: no such trace file.",
)


@pytest.mark.parametrize(
    "name", ["terminal", "junit.txt", "pytest-html.txt", "report.md", "report.json", "page.txt", "refinery-fix.patch"]
)
def test_each_format_is_as_expected_however_the_suite_runs(name: str, outputs: dict[str, str], *, is_ci: bool) -> None:
    name = name.replace("terminal", "terminal-ci.txt" if is_ci else "terminal.txt")
    if os.environ.get("EXPECTED") == "write":
        EXPECTED.mkdir(exist_ok=True)
        (EXPECTED / name).write_text(outputs[name], encoding="utf-8")
    assert outputs[name] == (EXPECTED / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("fact", FACTS)
def test_every_format_tells_every_fact(fact: str, outputs: dict[str, str]) -> None:
    for name, text in outputs.items():
        if name != "refinery-fix.patch":
            assert _words(fact) in _words(text), name


def _words(text: str) -> str:
    """Return the letters and figures of a text: how it is wrapped and escaped is not a fact."""
    return "".join(re.findall(r"\w", html.unescape(text)))
