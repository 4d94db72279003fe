from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

# All of the package, or runs inside this process would mix what is loaded here with what they load and forget.
from pytest_refinery.integration import diagnosis_cache, judging, session  # noqa: F401
from pytest_refinery.integration.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Terminal:
    """A terminal reporter, or a file that it writes to."""

    isatty: bool
    written: list[str] = field(default_factory=list)

    def rewrite(self, line: str, *, erase: bool) -> None:
        assert erase
        self.written.append(f"\r{line}")

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

    @property
    def pluginmanager(self) -> Config:
        return self

    def get_plugin(self, name: str) -> Any:  # noqa: ANN401  (as pluggy)
        return {"terminalreporter": self.terminal, "capturemanager": self}[name]

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


def test_a_terminal_gets_one_live_line_that_is_gone_at_the_end() -> None:
    terminal = Terminal(isatty=True)
    shown(Config(terminal))
    assert terminal.written == ["\rrefinery: admits: gap analysis", "\rrefinery: admits: diag\\x1bnosis", "\r"]


def test_a_file_gets_plain_lines() -> None:
    terminal = Terminal(isatty=False)
    shown(Config(terminal))
    assert terminal.written == ["\n", "refinery: admits: gap analysis", "\n", r"refinery: admits: diag\x1bnosis"]


def test_lines_are_written_past_the_capture() -> None:
    config = Config(Terminal(isatty=False))
    shown(config)
    assert config.uncaptured == 2


def test_workers_and_quiet_runs_write_nothing() -> None:
    shown(Config(None))
    terminal = Terminal(isatty=True)
    shown(Config(terminal, verbosity=-1))
    assert terminal.written == []
