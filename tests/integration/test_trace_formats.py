"""Expectations about traces of other formats, and from a plugin's own source, in whole runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.unit.sources.formats.test_detect import OBSERVATION, SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    Run = Callable[..., pytest.RunResult]

FILE = """\
expectations:
  - id: {id}-says-the-amount
    expect: The agent says how much cash there is.
    trace: {trace}
    checks:
      - output: {{contains: "1,204.50"}}
      - errors: none
  - id: {id}-says-goodbye
    expect: The agent says goodbye.
    trace: {trace}
    checks:
      - output: {{contains: Goodbye}}
"""
SOURCE = """\
from pathlib import Path

from pytest_refinery.errors import TraceError
from pytest_refinery.traces.model import Run, Trace


class Desk:
    def load(self, reference, *, base, project=None):
        if reference == "desk:gone":
            raise TraceError("desk:gone: there is no such trace.")
        run = Run(id="d1", name="desk", kind="llm", outputs="1,204.50 USD")
        notes = (f"Read for {base.name}, project {project}.",)
        return Trace(id="d", name="desk", runs=(run,), source=reference, format="desk", notes=notes)


def pytest_refinery_trace_source(reference):
    return Desk() if reference.startswith("desk:") else None
"""


def write_samples(folder: Path) -> int:
    for number, (_, make) in enumerate(SAMPLES.values()):
        content = make()
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        (folder / f"trace-{number}.json").write_bytes(data)
        written = FILE.format(id=f"n{number}", trace=f"trace-{number}.json")
        (folder / f"n{number}.refinery.yaml").write_text(written, encoding="utf-8")
    return len(SAMPLES)


def test_every_format_passes_fails_is_diagnosed_and_says_what_it_could_not_map(
    pytester: pytest.Pytester, run: Run
) -> None:
    count = write_samples(pytester.path)
    result = run("--refinery-report", "out")
    result.assert_outcomes(passed=count, failed=count)
    report = json.loads((pytester.path / "out" / "report.json").read_text("utf-8"))
    assert {item["trace"]["format"] for item in report["expectations"]} == {name for name, _ in SAMPLES.values()}
    notes = {note for item in report["expectations"] for note in item["trace"]["notes"]}
    assert "Records that are no observations, not read: 1 of 2 (meta)." in notes
    failed = [item for item in report["expectations"] if item["outcome"] == "failed"]
    assert all(item["diagnosis"]["candidates"] for item in failed)
    assert all(item["diagnosis"]["coverage"]["percentage"] == 100 for item in failed)


def test_what_was_not_read_is_printed_with_the_item(pytester: pytest.Pytester, run: Run) -> None:
    records = [OBSERVATION, {"level": "info"}]
    (pytester.path / "trace.json").write_text(json.dumps(records), encoding="utf-8")
    (pytester.path / "n.refinery.yaml").write_text(FILE.format(id="n", trace="trace.json"), encoding="utf-8")
    result = run("-rA")
    result.assert_outcomes(passed=1, failed=1)
    shown = [line for line in result.outlines if line.startswith("Records that are no observations, not read: 1 of 2")]
    assert len(shown) == 2
    said = "warning: n.refinery.yaml::n-says-the-amount passed, but not all of its trace was read: Records that are no "
    assert not any(line.startswith("warning: ") for line in result.outlines)
    assert any(line.startswith(said) for line in run().outlines)


def test_a_plugins_source_is_asked_first(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeconftest(SOURCE)
    file = FILE.format(id="desk", trace="desk:7") + FILE.format(id="gone", trace="desk:gone").partition("\n")[2]
    (pytester.path / "desk.refinery.yaml").write_text(f"project: retail\n{file}", encoding="utf-8")
    result = run("--refinery-report", "out")
    result.assert_outcomes(passed=1, failed=1, errors=2)
    result.stdout.fnmatch_lines(["*desk:gone: there is no such trace.*"])
    report = json.loads((pytester.path / "out" / "report.json").read_text("utf-8"))
    found = next(item["trace"] for item in report["expectations"] if item["nodeid"].endswith("desk-says-goodbye"))
    assert (found["format"], found["notes"]) == ("desk", [f"Read for {pytester.path.name}, project retail."])
