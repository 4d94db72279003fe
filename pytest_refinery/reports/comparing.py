"""How a run stands beside its baseline, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.records import GateVerdict
from pytest_refinery.reports.escape import line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.analysis.divergence import Difference, Divergence
    from pytest_refinery.analysis.records import Gate, ItemRecord

_AS_THERE = "as before"


def gate(found: Gate) -> str:
    """Return the verdict of a gate with what it rests on."""
    parts = [found.verdict.value, found.why.removesuffix(".")]
    if found.verdict is GateVerdict.INCONCLUSIVE and found.more_trials:
        parts.append(f"{found.more_trials} trials in both runs would decide")
    return f"fails on {found.fail_on}: {'. '.join(filter(None, parts))}"


def parted(found: Divergence) -> str:
    """Return where a trace parts from the one that passed, the first difference of each kind."""
    parts = [f"given otherwise: {_difference(found.given[0])}"] if found.given else []
    parts += [f"did otherwise: {_difference(found.did)}"] if found.did else []
    return "; ".join(parts)


def lines(item: ItemRecord, divergence: Divergence | None) -> Iterator[str]:
    """Yield how one expectation stands, and where its trace parts from the earlier one."""
    yield f"{line(item.nodeid)}: {item.change.value if item.change else _AS_THERE}"
    if divergence is None:
        return
    for each in divergence.given:
        yield f"  given otherwise: {_difference(each)}"
    if divergence.did is not None:
        yield f"  did otherwise: {_difference(divergence.did)}"


def _difference(found: Difference) -> str:
    return f"step {found.step}, {found.aspect}: {line(found.before)!r} -> {line(found.after)!r}"
