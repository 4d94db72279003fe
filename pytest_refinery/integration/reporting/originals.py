"""Reads the prompt files that a patch changes, as they are now, and names them as git does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.reports.patch import Original

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_refinery.reports.patch import NamedFix


def read(fixes: Iterable[NamedFix], *, root: Path) -> dict[str, Original]:
    """Return the files that ``fixes`` change, by their names there, which are relative to ``root``.

    Files outside the repository, or outside ``root`` where there is none, are left out, and so is what is no text.
    """
    top = _top(root.resolve())
    names = {named.fix.file for named in fixes if named.fix.file}
    found = {name: _original((root / name).resolve(), top) for name in sorted(names)}
    return {name: original for name, original in found.items() if original is not None}


def _top(root: Path) -> Path:
    """Return the folder that patches are relative to: the repository's, else ``root``."""
    return next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)


def _original(path: Path, top: Path) -> Original | None:
    if not path.is_relative_to(top):
        return None
    try:
        # Bytes: reading text would turn the ends of lines into others.
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return Original(path.relative_to(top).as_posix(), text)
