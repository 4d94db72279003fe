"""Reports that were kept under a name, to compare later runs with: ``baselines/NAME`` beside the suite."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

from pytest_refinery.errors import ConfigurationError, did_you_mean

FOLDER = "baselines"
REPORT, _TRACES = "report.json", "traces"
_LONGEST = 80


def trace_file(nodeid: str) -> str:
    """Return where, in the folder of a report, the trace is kept that an agent made for an item."""
    readable = re.sub(r"[^\w.-]+", "-", nodeid)[-_LONGEST:]
    return f"{_TRACES}/{readable}-{hashlib.sha256(nodeid.encode(errors='replace')).hexdigest()[:8]}.json"


def find(named: str, *, root: Path, current: Path) -> Path:
    """Return the ``report.json`` that is meant by a path, or by the name of a baseline that was saved.

    Args:
        named: A file, a folder with a ``report.json``, or a name.
        root: The folder that ``baselines`` is in.
        current: The folder that a path is relative to.

    Raises:
        ConfigurationError: There is none.
    """
    for path in (current / named, current / named / REPORT, root / FOLDER / named / REPORT):
        if path.is_file():
            return path
    saved = sorted(path.parent.name for path in (root / FOLDER).glob(f"*/{REPORT}"))
    known = f"Saved: {', '.join(saved)}." if saved else f"None is saved in {root / FOLDER}."
    msg = (
        f"there is no baseline {named!r}: no such file, no folder with a {REPORT}, and no saved name. {known}"
        f"{did_you_mean(named, saved)} Save one with: pytest-refinery baseline save {Path(named).name}"
    )
    raise ConfigurationError(msg)


def save(name: str, report: Path, *, root: Path) -> Path:
    """Keep the report of a folder, with the traces beside it, under a name; return the new folder.

    Args:
        name: One path component; what it named before is replaced.
        report: The folder of a report.
        root: The folder that ``baselines`` is in.

    Raises:
        ConfigurationError: The name cannot be one, or the folder has no report.
    """
    if name != Path(name).name or name.startswith("."):
        msg = f"{name!r} cannot name a baseline: use letters, digits, - and _"
        raise ConfigurationError(msg)
    if not (report / REPORT).is_file():
        msg = f"{report} has no {REPORT}: run pytest --refinery --refinery-report {report} first, or say --report DIR"
        raise ConfigurationError(msg)
    target = root / FOLDER / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copy2(report / REPORT, target / REPORT)
    if (report / _TRACES).is_dir():
        shutil.copytree(report / _TRACES, target / _TRACES)
    return target
