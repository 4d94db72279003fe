"""The files that a run writes, and those that its patch changes. What cannot be written is reported in a sentence."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_refinery import shared_file
from pytest_refinery.reports import patch
from pytest_refinery.reports.patch import Original

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pytest_refinery.analysis.records import Report
    from pytest_refinery.reports.patch import NamedFix, Patch


def write(folder: Path, files: Mapping[str, Callable[[], str | None]]) -> tuple[list[Path], list[str]]:
    """Write each file whose content is some text, and remove what an earlier run left where it is ``None``.

    Returns what was written, and a sentence for each file that was not. A file is replaced whole or not at all.
    """
    written: list[Path] = []
    problems: list[str] = []
    for name, content in files.items():
        try:
            text = content()
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                (folder / name).unlink(missing_ok=True)
            else:
                shared_file.replace(folder / name, text, permissions=shared_file.ORDINARY)
                written.append(folder / name)
        except OSError as error:
            return written, [*problems, f"could not write the report to {folder}: {error.strerror or error}"]
        except Exception as error:  # noqa: BLE001  (a report never changes the outcome of a run)
            problems.append(f"could not make {folder / name}: {type(error).__name__}: {error}")
    return written, problems


def encoded(text: str) -> bytes:
    """Return the text as UTF-8; what is no character of Unicode becomes a question mark."""
    return text.encode("utf-8", errors="replace")


def append(path: Path, text: str) -> str | None:
    """Append to a file that others write, too; return why that was not possible."""
    try:
        with path.open("ab") as file:
            file.write(encoded(text))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return f"could not write to {path}: {error.strerror or error}"
    return None


def patch_of(report: Report, *, root: Path) -> Patch:
    """Return the suggested changes of files below ``root`` as one patch."""
    fixes = tuple(patch.fixes_in(report))
    return patch.merged(fixes, read_originals(fixes, root=root))


def read_originals(fixes: Iterable[NamedFix], *, root: Path) -> dict[str, Original]:
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
