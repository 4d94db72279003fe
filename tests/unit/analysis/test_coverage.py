from __future__ import annotations

from pytest_refinery.analysis.schemas import GroupAnalysis
from pytest_refinery.analysis.stages import coverage
from pytest_refinery.digest import grouping, render
from pytest_refinery.traces.model import Run, Trace

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}


def test_a_run_with_an_image_does_not_count_as_read() -> None:
    asked = {"role": "user", "content": [{"type": "text", "text": "What is on it?"}, PICTURE]}
    said = [asked, {"role": "assistant", "content": "A loaf."}]
    runs = tuple(Run(id=str(number), name="message", kind="message", outputs=each) for number, each in enumerate(said))
    trace = Trace(id="t", name="loaf", runs=runs)
    groups = grouping.group(render.digest(trace), group_tokens=9_000)
    found = coverage(trace, groups, {0: GroupAnalysis(runs_read=("0", "1"))})
    assert (found.percentage, found.missing_run_ids) == (50.0, ("0",))
