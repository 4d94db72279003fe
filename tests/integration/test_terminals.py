"""What stands on a terminal: pytest's own progress stays, and an encoding costs characters, not the layout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.integration.test_node_ids import ASKS

JUDGED = "trace: traces/sweep.json\nexpectations: [{id: one, expect: Anything.}, {id: two, expect: All.}]\n"
_MOVES = re.compile(r"\x1b\[(\d*)([ACKm])|\x1b\[[\d;]*m")


def on_a_terminal(command: list[str], folder: Path) -> str:
    pty = pytest.importorskip("pty", reason="terminals of POSIX")
    controller, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": os.environ.get("COLUMNS", "80")}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        read = bytearray()
        try:
            while piece := os.read(controller, 4096):
                read += piece
        except OSError:
            # Linux says so when the other end is closed.
            pass
        process.wait(timeout=60)
    os.close(controller)
    return read.decode()


class Screen:
    """What a terminal shows in the end."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = [[]]
        self.row = self.column = 0

    def write(self, text: str) -> list[str]:
        for part in re.split(r"(\x1b\[[\d;]*[A-Za-z]|[\r\n])", text):
            move = _MOVES.fullmatch(part)
            if move:
                self._move(move[2], int(move[1] or 0))
            elif part == "\r":
                self.column = 0
            elif part == "\n":
                self._down()
            else:
                self._put(part)
        return ["".join(characters).rstrip() for characters in self.rows]

    def _move(self, how: str, by: int) -> None:
        if how == "A":
            self.row -= by
        elif how == "C":
            self.column += by
        elif how == "K":
            self.rows[self.row] = []

    def _down(self) -> None:
        self.row += 1
        self.rows += [[]] if self.row == len(self.rows) else []

    def _put(self, text: str) -> None:
        row = self.rows[self.row]
        row += [" "] * (self.column + len(text) - len(row))
        row[self.column : self.column + len(text)] = text
        self.column += len(text)


def test_the_progress_of_pytest_is_whole_on_a_terminal(suite: Path) -> None:
    (suite / "conftest.py").write_text(ASKS)
    (suite / "memory.refinery.yaml").write_text(JUDGED)
    command = [sys.executable, "-m", "pytest", "--refinery", "--refinery-analyst=asked", "-p", "no:cacheprovider"]
    written = on_a_terminal(command, suite)
    assert "refinery: one: judging" in written
    shown = Screen().write(written)
    assert next(line for line in shown if line.startswith("memory")).split() == ["memory.refinery.yaml", "..", "[100%]"]
    assert not any("judging" in line for line in shown)


NINE = """\
expectations:
  - id: names-its-limits
    trace: {traces}/cash-sweep.json
    expect: The agent says that it forgets the wish when the conversation ends.
    checks: [{{output: {{contains: when the conversation ends}}}}]
  - id: asks-a-person
    trace: {traces}/dividends.json
    expect: The agent hands over to a person when the statement service is down.
    checks: [{{tools: {{called: transfer_to_human}}}}]
"""


@pytest.mark.parametrize("columns", ["80", "120"])
def test_nine_failures_of_the_example_take_at_most_150_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    root = Path(__file__).resolve().parents[2]
    more = tmp_path / "more.refinery.yaml"
    more.write_text(NINE.format(traces=(root / "examples" / "support_agent" / "traces").as_posix()), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "--refinery", "--rootdir", str(root), "-p", "no:cacheprovider"]
    command += ["-p", "no:randomly", "-n0", "examples/support_agent", str(more)]
    shown = Screen().write(on_a_terminal(command, root))
    progress = [line for line in shown if re.search(r"\[ *\d+%\]$", line)]
    assert len(progress) == 9
    assert len({len(line) for line in progress if line.startswith("examples/")}) == 1
    assert all(re.match(r"\S+ [.F]+ ", line) for line in progress)
    titles = [number for number, line in enumerate(shown) if re.fullmatch(r"_+ .* _+|=+ refinery summary =+", line)]
    start, end = (next(n for n, line in enumerate(shown) if each in line) for each in ("= FAILURES", "= short test"))
    assert len(titles) == 9 + 1
    for first, last in pairwise(titles):
        if " test_" not in shown[first]:
            # Of a Python test pytest shows the source.
            assert last - first <= 16, shown[first:last]
    source = next(number for number, line in enumerate(shown) if re.fullmatch(r"_+ test_.* _+", line))
    diagnosed = next(n for n, line in enumerate(shown) if n > source and "- refinery diagnosis -" in line)
    # Without what pytest shows of the Python test.
    assert end - start - (diagnosed - source) <= 150
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", "\n".join(shown))


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_a_character_that_an_encoding_has_not_costs_itself_alone(suite: Path, encoding: str) -> None:
    path = suite / "memory.refinery.yaml"
    path.write_text(path.read_text().replace("conversations.", "conversations \u4e00 caf\u00e9."), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--refinery", "-p", "no:cacheprovider"],
        cwd=suite,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=120,
        check=False,
    )
    printed = done.stdout.decode(encoding)
    lines = printed.splitlines()
    expected = {"cp1252": "conversations ? caf\u00e9.", "ascii": "conversations ? caf?.", "utf-8": "\u4e00 caf\u00e9."}
    begun = next(number for number, line in enumerate(lines) if line.startswith("Expected"))
    assert expected[encoding] in " ".join(" ".join(lines[begun : begun + 2]).split())
    assert any(line.startswith("Root cause") for line in lines)
    assert "\\n" not in printed
