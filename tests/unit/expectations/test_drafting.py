from __future__ import annotations

import re
import textwrap

from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.expectations import drafting, loader, suggestions, yaml_document
from pytest_refinery.expectations.checks import run_checks
from pytest_refinery.expectations.drafting import Draft
from pytest_refinery.expectations.suggestions import Suggestion
from pytest_refinery.traces.prompts import Prompt
from tests.unit.expectations.made import calling

TEXTS = st.text(min_size=1).filter(lambda text: text == text.strip() and text.isprintable())


def with_checks(text: str) -> str:
    """Return the file with the ``# `` taken off what it suggests."""
    return re.sub(r"^    # (checks:|  - )", r"    \1", text, flags=re.MULTILINE)


def test_the_whole_file_reads_as_an_expert_would_write_it() -> None:
    draft = Draft(
        id="admits-it-cannot-remember",
        expect="The agent says that it cannot keep preferences between conversations.",
        business_context="Clients believed that their exclusions were permanent, and later complained about "
        "transactions that came back.",
        trace="traces/cash-sweep.json",
        prompt_files=("../prompts/system.md",),
        trace_prompts=(Prompt(kind="system", text="Be brief.\nBe kind.", run_ids=("1", "2")),),
        suggestions=(
            Suggestion("output", {"not_contains": "from now on"}, holds=False),
            Suggestion("errors", "none", holds=True),
        ),
    )
    assert drafting.text(draft) == textwrap.dedent("""\
        # What should have happened in one trace. Run it with: pytest --refinery
        trace: traces/cash-sweep.json
        prompts: [../prompts/system.md]
        # The prompts in the trace:
        #   system, 2 runs: Be brief. Be kind.
        expectations:
          - id: admits-it-cannot-remember
            expect: The agent says that it cannot keep preferences between conversations.
            why: Clients believed that their exclusions were permanent, and later complained about transactions
              that came back.
            # Without checks a model judges the sentence above. What code can decide, it should: of
            # the checks below, take the '# ' off those that must hold, and off 'checks:'. Each says
            # whether it holds on this trace.
            # checks:
            #   - output: {not_contains: from now on}  # fails now
            #   - errors: none                         # holds now, so it does not catch this
        """)


def test_taking_the_comment_signs_off_makes_the_suggestions_checks() -> None:
    trace = calling(("find: user", {}), ("find: user", {}), ('say "#1"', {}))
    found = suggestions.suggest(trace, expect="The agent says 'yes: #1'.")
    text = drafting.text(Draft(id="a", expect="x", trace="t.json", suggestions=found))
    (expectation,) = loader.parse(with_checks(text), source="a.refinery.yaml")
    results = [all(v.passed for v in run_checks([check], trace)) for check in expectation.checks]
    assert results == [each.holds for each in found]
    assert loader.parse(text, source="a.refinery.yaml")[0].checks == ()


@given(TEXTS, TEXTS, TEXTS, st.text())
def test_whatever_is_said_the_file_says_the_same(expect: str, context: str, name: str, told: str) -> None:
    draft = Draft(
        id="a",
        expect=expect,
        business_context=context,
        trace=name,
        prompt_files=(name,),
        trace_prompts=(Prompt(kind="user", text=told, run_ids=("1",)),),
        suggestions=(Suggestion("output", {"contains": expect}, holds=True),),
    )
    text = drafting.text(draft)
    (found,) = loader.parse(text, source="a")
    assert (found.expect, found.business_context) == (expect, context)
    assert (found.trace, found.prompts) == (name, (name,))
    (found,) = loader.parse(with_checks(text), source="a")
    assert found.checks[0].argument.contains == (expect,)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, min_size=1, max_size=3))
def test_what_is_written_is_read_again(value: dict[str, object]) -> None:
    for text in (yaml_document.flow(value), "\n".join(yaml_document.block(value, width=40))):
        document = yaml_document.read(text)
        assert document is not None
        assert document.problems == ()
        assert document.value == value
