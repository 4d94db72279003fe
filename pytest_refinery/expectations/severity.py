"""How much harm it does when an expectation is not met."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """The severity of an expectation, as its author says; the worst comes last."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Its place when the worst comes first, from 0."""
        return list(Severity)[::-1].index(self)
