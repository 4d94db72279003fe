"""What a job on GitHub shows beside its log: a summary of the step, and annotations of files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_refinery.analysis.records import Outcome
from pytest_refinery.integration.reporting import report_files
from pytest_refinery.reports import markdown, workflow_commands

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from pytest_refinery.analysis.records import ItemRecord, Report

# GitHub refuses the whole summary of a step that is longer.
_LARGEST_SUMMARY = 1024 * 1024
_ANNOTATES_TOO = "pytest_github_actions_annotate_failures"


def write_step_summary(report: Report) -> str | None:
    """Append the report to the summary of the step, where there is one; return why that was not possible."""
    variable = os.environ.get("GITHUB_STEP_SUMMARY")
    if not variable:
        return None
    path = Path(variable)
    try:
        room = _LARGEST_SUMMARY - path.stat().st_size if path.exists() else _LARGEST_SUMMARY
    except OSError:
        room = _LARGEST_SUMMARY
    # The steps before may have left a line without an end.
    return report_files.append(path, "\n" + markdown.render(report, most_bytes=max(0, room - 1)))


def annotate(config: pytest.Config, items: Iterable[ItemRecord]) -> list[str]:
    """Return the commands that annotate the lines of the expectations that failed or could not be decided."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return []
    if config.pluginmanager.hasplugin(_ANNOTATES_TOO):
        # It annotates what fails in the call phase, and nothing else.
        items = [item for item in items if item.outcome != Outcome.FAILED]
    return workflow_commands.annotations_of(items, path=lambda file: _in_repository(config.rootpath / file))


def _in_repository(path: Path) -> str:
    workspace = os.environ.get("GITHUB_WORKSPACE")
    relative = os.path.relpath(path, workspace) if workspace else ".."
    return str(path) if relative.startswith("..") else Path(relative).as_posix()
