"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path


def describe() -> dict[str, str]:
    """Return the date, the processor, its cores, the system, and the versions of Python and pytest."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "pytest": metadata.version("pytest"),
    }


def sentence() -> str:
    """Return the description as one line of text."""
    about = describe()
    return "{date}, {cpu}, {cores} cores, {system}, Python {python}, pytest {pytest}".format(**about)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown processor")
