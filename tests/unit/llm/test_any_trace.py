"""Whatever a trace holds, every detector reads it and every finding has a run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysis.engine import Engine, Limits
from pytest_refinery.llm.builtin.analyst import BuiltinAnalyst
from pytest_refinery.traces.model import Run, Trace
from tests.unit.llm.scenes import case

WORDS = st.sampled_from(
    [
        "from now on I will",
        "Error: status",
        "exitcode: 1",
        "there are 3 available",
        "cheapest 12.50",
        "Yes",
        "```python",
        "W1001",
        "{",
        '"',
        "\n",
        "é",
        ".",
    ]
)
TEXT = st.one_of(st.text(max_size=40), st.lists(WORDS, max_size=6).map(" ".join))
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT)
JSON = st.recursive(
    PLAIN, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)), max_leaves=8
)
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "id": TEXT,
            "name": st.sampled_from(["get_order", "cancel_order", "think"]),
            "args": st.dictionaries(TEXT, JSON, max_size=3),
        }
    ),
    max_size=2,
)
MESSAGE = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["system", "user", "assistant", "tool", "human", "Leader (-> Worker)", "Worker"]),
        "content": st.one_of(TEXT, JSON),
    },
    optional={"name": TEXT, "tool_calls": CALLS, "tool_call_id": TEXT},
)
VALUE = st.one_of(JSON, MESSAGE, st.fixed_dictionaries({"messages": st.lists(MESSAGE, max_size=5)}))
KINDS = st.sampled_from(["llm", "tool", "chain", "retriever", "message", "something"])


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    count = draw(st.integers(min_value=1, max_value=7))
    runs = tuple(
        Run(
            id=str(place),
            name=draw(TEXT),
            kind=draw(KINDS),
            parent_id=str(draw(st.integers(min_value=0, max_value=place - 1)))
            if place and draw(st.booleans())
            else None,
            inputs=draw(VALUE),
            outputs=draw(VALUE),
            error=draw(st.one_of(st.none(), TEXT)),
        )
        for place in range(count)
    )
    return Trace(id="t", name="t", runs=runs, format=draw(st.sampled_from(["langsmith", "transcript"])))


@given(traces(), TEXT)
def test_any_trace_is_diagnosed_whole(trace: Trace, expect: str) -> None:
    diagnosis = Engine(BuiltinAnalyst(), Limits()).diagnose(case(trace, expect=expect))
    assert diagnosis.partial is None
    assert diagnosis.coverage.percentage == 100.0
    assert {finding.run_id for finding in diagnosis.findings} <= set(trace.by_id)
