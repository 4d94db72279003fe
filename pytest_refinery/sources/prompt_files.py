"""Reads the prompt files of the user's repository."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_refinery.analysis.ports import PromptFile
from pytest_refinery.errors import TraceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def read(patterns: Iterable[str], *, base: Path, root: Path) -> tuple[PromptFile, ...]:
    """Return the files that match ``patterns`` (globs relative to ``base``), each once.

    Their paths are given relative to ``root``, with forward slashes.

    Raises:
        TraceError: A pattern matches nothing, or a file is no UTF-8 text.
    """
    found = {path.resolve(): pattern for pattern in patterns for path in _matches(pattern, base)}
    return tuple(PromptFile(path=_shown(path, root), text=_text(path)) for path in found)


def _matches(pattern: str, base: Path) -> Iterator[Path]:
    # Path.glob refuses "..", which is where prompts usually are.
    start, parts = base, list(_parts(pattern))
    while parts and parts[0] in {"..", "."}:
        start = start / parts.pop(0)
    matches = sorted(path for path in start.glob("/".join(parts)) if path.is_file()) if parts else []
    if not matches:
        msg = f"prompts: no file matches {pattern!r} (looked in {base})."
        raise TraceError(msg)
    yield from matches


def _parts(pattern: str) -> Iterator[str]:
    return (part for part in pattern.replace(os.sep, "/").split("/") if part)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"prompts: {path} cannot be read as UTF-8 text ({error})."
        raise TraceError(msg) from error


def _shown(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root.resolve()).as_posix()
    except ValueError:
        return path.as_posix()
