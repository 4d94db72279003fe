"""The command ``pytest-refinery``: the engine's second front end. It does not need pytest."""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_refinery.cli import account, diagnosing, fixes, reports, trace_files
from pytest_refinery.errors import RefineryError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 1 where it found what it looks for to be wrong, or could not do its work.

    Why it could not do its work stands on stderr, in one sentence.
    """
    given = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A console shows what it can of a trace; a file or a pipe gets all of it, whatever the locale.
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")
    try:
        return int(given.run(given) or 0)
    except RefineryError as error:
        print(f"pytest-refinery: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader (head, less) has gone; nothing more to say.
        sys.stderr.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pytest-refinery",
        description="Expectations about LLM-agent traces, and diagnoses of those that fail.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for room in (diagnosing, trace_files, reports, fixes, account):
        room.add(commands.add_parser)
    _add_skill(commands.add_parser("skill", help="print the skill for coding agents, or install it"))
    schema = commands.add_parser("schema", help="print the JSON Schema of expectation files, for editors")
    schema.set_defaults(run=_schema)
    return parser


def _schema(_: argparse.Namespace) -> None:
    from pytest_refinery.expectations import model

    print(json.dumps(model.json_schema(), indent=2, ensure_ascii=False))


def _add_skill(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--install", metavar="DIR", help="write it into this folder of skills instead")
    parser.set_defaults(run=_skill)


def _skill(given: argparse.Namespace) -> None:
    from importlib import resources

    text = resources.files("pytest_refinery").joinpath("skill", "SKILL.md").read_text(encoding="utf-8")
    if given.install is None:
        print(text, end="")
        return
    target = Path(given.install) / "fix-agent-expectations" / "SKILL.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    print(f"{target} is written.")
