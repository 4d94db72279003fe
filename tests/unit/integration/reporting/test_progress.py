from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

# All of the package, or runs inside this process would mix what is loaded here with what they load and forget.
from pytest_refinery.integration import session  # noqa: F401
from pytest_refinery.integration.reporting.progress import Progress, WorkerProgress
from pytest_refinery.integration.running import answer_cache, evaluation  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


@dataclass
class Terminal:
    """A terminal reporter, or a file that it writes to."""

    isatty: bool
    written: list[str] = field(default_factory=list)

    fullwidth = 40
    width_of_current_line = 21

    def ensure_newline(self) -> None:
        self.written.append("\n")

    def write_line(self, line: str) -> None:
        self.written.append(line)


@dataclass
class Config:
    """What is asked of pytest's configuration."""

    terminal: Terminal | None
    verbosity: int = 0
    uncaptured: int = 0
    workerinput: dict[str, str] = field(default_factory=dict)

    @property
    def pluginmanager(self) -> Config:
        return self

    def get_plugin(self, name: str) -> Any:  # noqa: ANN401  (as pluggy)
        return {"terminalreporter": self.terminal, "capturemanager": self}[name]

    def get_terminal_writer(self) -> Terminal | None:
        return self.terminal

    def get_verbosity(self) -> int:
        return self.verbosity

    @contextmanager
    def global_and_fixture_disabled(self) -> Iterator[None]:
        self.uncaptured += 1
        yield


def shown(config: Config) -> None:
    progress = Progress(config)  # type: ignore[arg-type]
    with progress.about("memory.refinery.yaml::admits"):
        progress.show("gap analysis")
        progress.show("diag\x1bnosis")


def test_a_terminal_gets_one_live_line_below_pytests_own_that_is_gone_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal(isatty=True)
    shown(Config(terminal))
    assert terminal.written == []
    erase = "\r\x1b[2K"
    live = f"\n{erase}refinery: admits: gap analysis{erase}refinery: admits: diag\\x1bnosis"
    assert capsys.readouterr().out == f"{live}{erase}\x1b[1A\x1b[21C"


def test_a_terminal_that_cannot_move_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal(isatty=True)
    shown(Config(terminal, verbosity=1))
    assert terminal.written[:2] == ["\n", "refinery: admits: gap analysis"]


def test_a_file_gets_plain_lines_with_v_and_else_none() -> None:
    terminal = Terminal(isatty=False)
    shown(Config(terminal))
    assert terminal.written == []
    shown(Config(terminal, verbosity=1))
    assert terminal.written == ["\n", "refinery: admits: gap analysis", "\n", r"refinery: admits: diag\x1bnosis"]


def test_lines_are_written_past_the_capture() -> None:
    config = Config(Terminal(isatty=False), verbosity=1)
    shown(config)
    assert config.uncaptured == 2


def test_workers_and_quiet_runs_write_nothing() -> None:
    shown(Config(None))
    terminal = Terminal(isatty=True)
    shown(Config(terminal, verbosity=-1))
    assert terminal.written == []


@dataclass
class Workers:
    """The folder that is shared with the workers."""

    path: Path | None


def told(progress: WorkerProgress) -> list[str]:
    said: list[str] = []
    progress.report_new(said.append)
    return said


def test_the_controller_tells_each_line_of_its_workers_once(tmp_path: Path) -> None:
    progress = WorkerProgress(Config(None), Workers(tmp_path))  # type: ignore[arg-type]
    for worker in ("gw1", "gw0"):
        terminal = Terminal(isatty=False)
        shown(Config(terminal, verbosity=1, workerinput={"refinery_folder": str(tmp_path), "workerid": worker}))
        assert terminal.written == []
    lines = ["refinery: admits: gap analysis", r"refinery: admits: diag\x1bnosis"]
    assert told(progress) == [f"[{worker}] {line}" for worker in ("gw0", "gw1") for line in lines]
    assert told(progress) == []
    shown(Config(None, verbosity=1, workerinput={"refinery_folder": str(tmp_path), "workerid": "gw1"}))
    assert told(progress) == [f"[gw1] {line}" for line in lines]


LEFT = "about 4 min left at 30,000 tokens per minute"


def test_a_run_alone_shows_where_it_stands() -> None:
    terminal = Terminal(isatty=False)
    progress = Progress(Config(terminal))  # type: ignore[arg-type]
    progress.show_time_left(LEFT)
    progress.count_begun()
    progress.show_time_left(LEFT)
    progress.show_time_left("")
    progress.count_made()
    progress.show_time_left(LEFT)
    standing = "refinery: diagnosed 0 of 1 failures so far"
    assert terminal.written == ["\n", f"{standing}, {LEFT}", "\n", standing]


def test_the_controller_says_once_where_all_workers_stand(tmp_path: Path) -> None:
    progress = WorkerProgress(Config(None), Workers(tmp_path))  # type: ignore[arg-type]
    one, other = (
        Progress(Config(None, workerinput={"refinery_folder": str(tmp_path), "workerid": worker}))  # type: ignore[arg-type]
        for worker in ("gw0", "gw1")
    )
    for each in (one, one, other):
        each.count_begun()
    one.count_made()
    assert told(progress) == []
    one.show_time_left(LEFT)
    other.show_time_left(LEFT)
    assert told(progress) == [f"refinery: diagnosed 1 of 3 failures so far, {LEFT}"]
    one.show_time_left(LEFT)
    assert told(progress) == []
    one.count_made()
    other.show_time_left("about 90 s left at 30,000 tokens per minute")
    assert told(progress) == ["refinery: diagnosed 2 of 3 failures so far, about 90 s left at 30,000 tokens per minute"]
    other.count_made()
    one.show_time_left(LEFT)
    assert told(progress) == []


def test_a_line_is_told_when_it_is_whole(tmp_path: Path) -> None:
    progress = WorkerProgress(Config(None), Workers(tmp_path))  # type: ignore[arg-type]
    left = tmp_path / "gw0.progress"
    left.write_text("one\ntw")
    assert told(progress) == ["[gw0] one"]
    left.write_text("one\ntwo\n")
    assert told(progress) == ["[gw0] two"]


def test_a_quiet_worker_and_one_on_another_machine_leave_nothing(tmp_path: Path) -> None:
    quiet = Config(None, verbosity=-1, workerinput={"refinery_folder": str(tmp_path)})
    shown(quiet)
    Progress(quiet).count_begun()  # type: ignore[arg-type]
    Progress(quiet).show_time_left(LEFT)  # type: ignore[arg-type]
    shown(Config(None, workerinput={"refinery_folder": str(tmp_path / "elsewhere")}))
    assert list(tmp_path.iterdir()) == []
    assert told(WorkerProgress(Config(None), Workers(None))) == []  # type: ignore[arg-type]
