"""The suggested fixes of a report as one patch for ``git apply``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.analysis import fixes
from pytest_refinery.analysis.schemas import VerificationStatus
from pytest_refinery.reports import verification
from pytest_refinery.reports.escape import line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_refinery.analysis.fixes import Edit
    from pytest_refinery.analysis.records import Report
    from pytest_refinery.analysis.schemas import Diagnosis, SuggestedFix, Verification

_HEAD = """\
Changes of prompts that pytest-refinery suggests. Nothing was changed. In the folder that the names below begin in:
  git apply --check refinery-fix.patch    tells whether they still fit
  git apply refinery-fix.patch            makes them
"""


@dataclass(frozen=True)
class NamedFix:
    """A fix that has its place in a prompt file, the item that it is for, and what trying it has shown."""

    nodeid: str
    fix: SuggestedFix
    verification: Verification | None = None


@dataclass(frozen=True)
class Original:
    """A prompt file as it is: its path as the patch names it, and its text with its own ends of lines."""

    path: str
    text: str


@dataclass(frozen=True)
class Patch:
    """The patch, empty where there is nothing to change, and a sentence for each fix that is not in it."""

    text: str
    left_out: tuple[str, ...]


def fixes_in(report: Report) -> Iterator[NamedFix]:
    """Yield the fixes that have their place in a prompt file and are not refuted, those first that are confirmed."""
    found = [(item.nodeid, item.diagnosis) for item in report.expectations if item.diagnosis]
    for nodeid, diagnosis in sorted(found, key=lambda pair: not _is(pair[1], VerificationStatus.CONFIRMED)):
        fix = diagnosis.suggested_fix
        if fix is not None and fix.file and fix.diff and not _is(diagnosis, VerificationStatus.REFUTED):
            yield NamedFix(nodeid, fix, diagnosis.verification)


def _is(diagnosis: Diagnosis, status: VerificationStatus) -> bool:
    return diagnosis.verification is not None and diagnosis.verification.status is status


def merged(found: Sequence[NamedFix], originals: Mapping[str, Original]) -> Patch:
    """Return all fixes as one patch; of two that change the same words, the first counts."""
    left_out: list[str] = []
    parts: list[str] = []
    for file in sorted({named.fix.file or "" for named in found}):
        of_file = [named for named in found if named.fix.file == file]
        if file not in originals:
            left_out += [_left_out(named, "the file is not in this repository, or cannot be read") for named in of_file]
            continue
        edits, problems = _compatible(of_file, originals[file].text)
        left_out += problems
        parts += [_part(originals[file], edits)] if edits else []
    text = "\n".join([_head(found), *parts]) if parts else ""
    return Patch(text, tuple(left_out))


def _compatible(found: Iterable[NamedFix], text: str) -> tuple[list[Edit], list[str]]:
    """Return the edits of one file that go together, and why others do not."""
    edits: list[Edit] = []
    problems: list[str] = []
    for named in found:
        wanted = fixes.edit(named.fix, text)
        if wanted is None:
            problems.append(_left_out(named, "its passage is no longer there"))
        elif any(wanted.clashes_with(other) for other in edits):
            problems.append(_left_out(named, "another fix changes the same passage"))
        elif wanted not in edits:
            edits.append(wanted)
    return edits, problems


def _left_out(named: NamedFix, why: str) -> str:
    return f"refinery-fix.patch leaves out the fix of {named.fix.file} for {named.nodeid}: {why}"


def _part(original: Original, edits: Iterable[Edit]) -> str:
    changed = original.text
    # From the end, so that places before it stay; of additions to one place the first comes first.
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end))[::-1]:
        changed = edit.applied(changed)
    names = (fixes.quoted(f"{side}/{original.path}").rstrip("\t") for side in "ab")
    return f"diff --git {' '.join(names)}\n{fixes.unified(original.path, original.text, changed)}"


def _head(found: Iterable[NamedFix]) -> str:
    # Indented: no line of it can be taken for the beginning of a patch.
    return _HEAD + "".join(
        f"  for {line(named.nodeid)} ({line(verification.sentence(named.verification))})\n" for named in found
    )
