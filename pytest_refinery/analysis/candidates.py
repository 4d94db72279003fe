"""The runs that may be the decisive one: checked against the trace, each once, three at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_refinery.analysis.schemas import Conclusion, Finding
    from pytest_refinery.traces.model import Trace

MOST = 3


def of(conclusion: Conclusion, findings: Sequence[Finding], trace: Trace) -> tuple[Candidate, ...]:
    """Return the candidates of a conclusion, or those of the ``findings`` where it names none.

    Runs that the trace does not have are dropped.
    """
    named = conclusion.candidates or _from_findings(conclusion, findings)
    known = [_placed(each, trace) for each in named if each.run_id in trace.numbers]
    return tuple({each.run_id: each for each in reversed(known)}.values())[::-1][:MOST]


def _placed(candidate: Candidate, trace: Trace) -> Candidate:
    run = trace.by_id[candidate.run_id]
    return candidate.model_copy(update={"run_number": trace.numbers[run.id], "run_name": run.name})


def _from_findings(conclusion: Conclusion, findings: Sequence[Finding]) -> Iterator[Candidate]:
    """Yield the responsible run, then the runs of the findings, the heaviest first; together they share one."""
    heaviest = _heaviest(findings)
    total = sum(finding.weight for finding in heaviest) or 1.0
    responsible = conclusion.responsible_run_id
    if responsible is not None and responsible not in {finding.run_id for finding in heaviest}:
        yield Candidate(run_id=responsible, reason=conclusion.root_cause or "", share=1 / (1 + len(heaviest)))
    for finding in sorted(heaviest, key=lambda finding: (finding.run_id != responsible, -finding.weight)):
        yield Candidate(run_id=finding.run_id, reason=finding.what, share=round(finding.weight / total, 4))


def _heaviest(findings: Iterable[Finding]) -> list[Finding]:
    """Return the heaviest finding of each run."""
    best: dict[str, Finding] = {}
    for finding in findings:
        if finding.run_id not in best or finding.weight > best[finding.run_id].weight:
            best[finding.run_id] = finding
    return list(best.values())
