"""What trying a fix has shown, in a sentence or two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import VerificationStatus

if TYPE_CHECKING:
    from pytest_refinery.analysis.schemas import Trials, Verification

_WORDS = {
    VerificationStatus.CONFIRMED: "verified",
    VerificationStatus.REFUTED: "refuted",
    VerificationStatus.INCONCLUSIVE: "not decided",
    VerificationStatus.NOT_POSSIBLE: "not verified",
}


def sentence(found: Verification | None) -> str:
    """Return whether a fix is verified: ``verified: 0 of 5 -> 5 of 5, 12 others unchanged``."""
    if found is None:
        return "not verified"
    parts = [
        " -> ".join(_count(each) for each in (found.before, found.after) if each),
        f"{found.unchanged} others unchanged"
        if found.unchanged > 1
        else "1 other unchanged"
        if found.unchanged
        else "",
        f"{len(found.lost)} lost" if found.lost else "",
    ]
    numbers = ", ".join(filter(None, parts))
    where = "decisive step " if found.how == "replay" and numbers else ""
    said = ". ".join(filter(None, [f"{where}{numbers}", found.why]))
    return f"{_WORDS[found.status]}: {said}"


def _count(trials: Trials) -> str:
    return f"{trials.passed} of {trials.trials}"
