"""Reads the prompt files of the user's repository."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from pytest_refinery.analysis.ports import PromptFile
from pytest_refinery.errors import TraceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What prompts are written in; JSON only quotes them.
_WRITTEN = frozenset(
    {".md", ".txt", ".prompt", ".j2", ".jinja", ".jinja2", ".mustache", ".hbs", ".tmpl", ".tpl", ".py", ".yaml", ".yml"}
)
_NOT_WRITTEN = frozenset({"node_modules", "venv", "env", "site-packages", "__pycache__", "build", "dist", "cassettes"})
_MOST_FILES, _LARGEST_BYTES = 5_000, 200_000
_LARGEST_NAMED = 20_000_000


def read(patterns: Iterable[str], *, base: Path, root: Path) -> tuple[PromptFile, ...]:
    """Return the files that match ``patterns`` (globs relative to ``base``), each once.

    Their paths are given relative to ``root``, with forward slashes.

    Raises:
        TraceError: A pattern matches nothing, or a file is no UTF-8 text.
    """
    found = {path.resolve(): pattern for pattern in patterns for path in _matches(pattern, base)}
    return tuple(PromptFile(path=_shown(path, root), text=_text(path)) for path in found)


def in_repository(root: Path) -> Iterator[PromptFile]:
    """Yield the texts below ``root`` that may hold a prompt: no data, nothing hidden, nothing installed or built."""
    for path in islice(_walk(root), _MOST_FILES):
        try:
            if path.stat().st_size <= _LARGEST_BYTES:
                yield PromptFile(path=_shown(path, root), text=path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            continue


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _NOT_WRITTEN and not name.startswith("."))
        for name in sorted(names):
            if PurePath(name).suffix.lower() in _WRITTEN and ".refinery." not in name:
                yield Path(folder, name)


def _matches(pattern: str, base: Path) -> Iterator[Path]:
    # Path.glob refuses "..", which is where prompts usually are.
    start, parts = base, list(_parts(pattern))
    while parts and parts[0] in {"..", "."}:
        start = start / parts.pop(0)
    try:
        matches = sorted(path for path in start.glob("/".join(parts)) if path.is_file()) if parts else []
    except (ValueError, NotImplementedError) as error:
        msg = f"prompts: {pattern!r} is no pattern of files ({error}); write for example 'prompts/**/*.md'."
        raise TraceError(msg) from error
    if not matches:
        msg = f"prompts: no file matches {pattern!r} (looked in {base})."
        raise TraceError(msg)
    yield from matches


def _parts(pattern: str) -> Iterator[str]:
    return (part for part in pattern.replace(os.sep, "/").split("/") if part)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_NAMED:
            msg = f"prompts: {path} is larger than {_LARGEST_NAMED // 1_000_000} MB; no prompt is."
            raise TraceError(msg)
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"prompts: {path} cannot be read as UTF-8 text ({error})."
        raise TraceError(msg) from error


def _shown(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root.resolve()).as_posix()
    except ValueError:
        return path.as_posix()
