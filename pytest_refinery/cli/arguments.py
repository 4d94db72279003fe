"""What arguments name: an expectation of a file, a report, the failures of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_refinery.errors import ConfigurationError, TraceError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.analysis.records import ItemRecord, Report
    from pytest_refinery.expectations.model import Expectation

EXPECTATION_FILE = r"\.refinery\.ya?ml(::|$)"
"""What tells an expectation from a trace, as a regular expression."""


def times(text: str) -> int:
    """Return a count, one at least."""
    # argparse says what is wrong with other texts.
    return max(1, int(text))


def expectation(subject: str) -> tuple[Path, Expectation]:
    """Return the file and the expectation that ``subject`` (``FILE::ID``, or the file of only one) names."""
    from pytest_refinery.expectations import loader

    name, _, wanted = subject.partition("::")
    found = {each.id: each for each in loader.load(Path(name))}
    if not wanted and len(found) == 1:
        return Path(name), next(iter(found.values()))
    if wanted not in found:
        known = ", ".join(f"{name}::{each}" for each in found)
        problem = (
            f"{name} has no expectation {wanted!r}.{did_you_mean(wanted, found)}" if wanted else "Name one of them."
        )
        msg = f"{problem} There are: {known}."
        raise ConfigurationError(msg)
    return Path(name), found[wanted]


def report(folder: Path) -> tuple[Report, Path]:
    """Return the report in a folder, and the root folder of the suite that it is about."""
    from pydantic import ValidationError

    from pytest_refinery.analysis.records import Report

    path = folder / "report.json"
    try:
        report = Report.model_validate_json(path.read_bytes())
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}). Write it with pytest --refinery --refinery-report {folder}"
        raise TraceError(msg) from error
    except ValidationError as error:
        msg = f"{path} is not a report of this version of pytest-refinery. Write it again: --refinery-report {folder}"
        raise TraceError(msg) from error
    here = Path.cwd()
    for root in (here, *here.parents):
        if all((root / each.expectation.file).is_file() for each in report.expectations):
            return report, root
    msg = f"The files that {path} names are not here. Start the command in the folder that pytest was started in."
    raise TraceError(msg)


def chosen(report: Report, only: Sequence[str], *, has_fix: bool) -> list[ItemRecord]:
    """Return the failed expectations, or those of them that are named: by id or node id."""
    from pytest_refinery.analysis.records import Outcome

    failed = [each for each in report.expectations if each.outcome is Outcome.FAILED]
    known = {name for each in failed for name in (each.nodeid, each.expectation.id)}
    for name in only:
        if name not in known:
            msg = f"The report has no failed expectation {name!r}.{did_you_mean(name, known)}"
            raise ConfigurationError(msg)
    chosen = [each for each in failed if not only or {each.nodeid, each.expectation.id} & set(only)]
    found = [each for each in chosen if not has_fix or diff(each)]
    if not found:
        msg = "No failed expectation of the report has a suggested change of a file. Try one of your own: --fix FILE"
        raise ConfigurationError(msg)
    return found


def diff(record: ItemRecord) -> str:
    """Return the patch that the diagnosis of an item suggests, ``""`` where it suggests none."""
    fix = record.diagnosis.suggested_fix if record.diagnosis else None
    return fix.diff if fix else ""
