"""Whole texts, as a reader sees them."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysis.records import (
    AgentRecord,
    CheckRecord,
    Comparison,
    ExpectationRecord,
    ItemRecord,
    Outcome,
    Report,
    RootCause,
    TrialRecord,
)
from pytest_refinery.analysis.schemas import (
    Confidence,
    Coverage,
    Diagnosis,
    Evidence,
    FailureType,
    Finding,
    Gap,
    StageReport,
    StalePrompt,
    SuggestedFix,
)
from pytest_refinery.analysis.session_report import compile_report
from pytest_refinery.reports import markdown, text

CHECK = CheckRecord(
    name="output.not_contains",
    passed=False,
    expected="the answer not to contain 'from now on'",
    actual="'I will exclude them from now on.'",
    run_id="run-7",
    run_name="assistant",
)
FOUND = Diagnosis(
    failure_type=FailureType.PROMPT_ISSUE,
    cause="The agent promises what it cannot keep.",
    root_cause="The prompt never says that nothing is kept between conversations, so the agent promised it.",
    responsible_run_id="run-7",
    responsible_run_name="assistant",
    responsible_run_number=7,
    confidence=Confidence.HIGH,
    evidence=(
        Evidence(run_id="run-7", run_number=7, quote="from now on", why="A promise.", verified=True),
        Evidence(run_id="run-2", run_number=2, quote="exclude them", why="What was asked.", verified=True),
    ),
    gaps=(
        Gap(expected=CHECK.expected, actual=CHECK.actual),
        Gap(expected="It says that it has no memory.", actual="It promised."),
    ),
    missing_context=("That it has no memory.",),
    wrong_assumptions=("That it can remember.",),
    suggested_fix=SuggestedFix(
        component="system prompt",
        file="prompts/system.md",
        before="Be helpful.",
        after="Be helpful.\nYou cannot remember anything.",
        why="Nothing says so.",
    ),
    executive_summary="Clients rely on a promise that is not kept.",
    findings=(
        Finding(run_id="run-7", run_number=7, what="A promise.", failure_type=FailureType.PROMPT_ISSUE),
        Finding(run_id="run-3", run_number=3, what="A delay.", failure_type=FailureType.TOOL_ISSUE),
    ),
    coverage=Coverage(runs_total=12, runs_read=11, percentage=91.7, missing_run_ids=("run-9",)),
    analyst="builtin",
    stages=(
        StageReport(
            name="trace analysis", calls=2, input_tokens=1200, output_tokens=34, seconds=1.5, seconds_waited=0.5
        ),
    ),
    partial="group g02: busy",
)
ITEM = ItemRecord(
    nodeid="memory.refinery.yaml::admits",
    outcome=Outcome.FAILED,
    expectation=ExpectationRecord(
        id="admits",
        expect="The agent says that it cannot remember.",
        business_context="Clients believed it.",
        file="memory.refinery.yaml",
        line=4,
    ),
    checks=(CHECK, CHECK.model_copy(update={"name": "errors", "passed": True})),
    diagnosis=FOUND,
)


def block(lines: str) -> str:
    return textwrap.dedent(lines).strip("\n")


def test_a_verdict_says_what_was_expected_and_what_was_there() -> None:
    assert text.verdict(ITEM) == block("""
        expected   The agent says that it cannot remember.
        because    Clients believed it.

        output.not_contains in run assistant (run-7)
          expected the answer not to contain 'from now on'
          was      'I will exclude them from now on.'
    """)


def with_agent(*outcomes: Outcome, wanted: int) -> ItemRecord:
    trials = tuple(TrialRecord(number=number, outcome=outcome) for number, outcome in enumerate(outcomes, start=1))
    agent = AgentRecord(target="shop:answer", wanted=wanted, shown=2 if len(trials) > 1 else 1, trials=trials)
    return ITEM.model_copy(update={"agent": agent})


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (with_agent(Outcome.FAILED, wanted=1), "agent      shop:answer, re-run"),
        (
            with_agent(Outcome.PASSED, Outcome.FAILED, Outcome.PASSED, wanted=3),
            "agent      shop:answer, re-run: 2 of 3 trials met it, all had to; this is trial 2",
        ),
        (
            with_agent(Outcome.PASSED, Outcome.FAILED, Outcome.UNDECIDED, wanted=2),
            "agent      shop:answer, re-run: 1 of 3 trials met it, 2 had to; this is trial 2",
        ),
    ],
)
def test_a_verdict_names_the_agent_that_was_run_and_counts_its_trials(item: ItemRecord, line: str) -> None:
    assert line in text.verdict(item, width=100).splitlines()
    assert f"**Agent:** {line.removeprefix('agent      ')}" in markdown.render(
        compile_report([item], plugin_version="1")
    )


def test_a_diagnosis_reads_top_down() -> None:
    assert text.diagnosis(FOUND, checks=ITEM.checks) == block("""
        root cause The prompt never says that nothing is kept between conversations, so
                   the agent promised it. (prompt issue, confidence high)
        run        7 of 12: assistant (run-7)
        evidence   "from now on"
                   A promise.
        evidence   "exclude them"
                   What was asked. (run 2)
        gap        expected: It says that it has no memory. Was: It promised.
        lacked     That it has no memory.
        assumed    That it can remember.
        fix        system prompt (prompts/system.md) (not verified): Nothing says so.
                   + You cannot remember anything.
        in short   Clients rely on a promise that is not kept.
        analyst    builtin: 11 of 12 runs read (91.7 %), 1,234 tokens, 1.5 s, of which
                   0.5 s waiting for the limit
        partial    group g02: busy
    """)


def test_the_summary_names_causes_costs_and_files() -> None:
    report = compile_report([ITEM], plugin_version="1")
    assert (
        text.summary(report, files=["out/report.json"])
        == block("""
        0 of 1 expectations hold, 1 does not.
        1 of 1 failures: The prompt never says that nothing is kept between
                   conversations, so the agent promised it. (prompt issue)
                   memory.refinery.yaml::admits
        diagnosed  by builtin: 1,234 tokens, cost unknown, 0.5 s waiting for the limit
        written    out/report.json
    """).splitlines()
    )


def test_a_diagnosis_without_a_run_says_so() -> None:
    nobody = FOUND.model_copy(update={"responsible_run_id": None, "evidence": ()})
    assert "run        no single run could be named" in text.diagnosis(nobody).splitlines()


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_lines_keep_to_the_width_where_words_allow(width: int) -> None:
    longest = max(len(line) for line in text.diagnosis(FOUND, width=width).splitlines())
    assert longest <= max(width, 33)


@given(st.text(), st.text(), st.integers(20, 200))
def test_any_text_can_be_shown(cause: str, quote: str, width: int) -> None:
    found = FOUND.model_copy(
        update={"root_cause": cause, "evidence": (Evidence(run_id="run-7", quote=quote, verified=True),)}
    )
    shown = text.diagnosis(found, width=width)
    assert not any(ord(character) < 0x20 and character not in "\n\t" for character in shown)


def test_markdown_reads_top_down() -> None:
    report = compile_report([ITEM], plugin_version="1")
    assert (
        markdown.render(report)
        == block("""
        # pytest-refinery

        0 of 1 expectations hold, 1 does not. Why: The prompt never says that nothing is kept between conversations, so the agent promised it.

        ## Causes

        - **1 of 1** (prompt issue): The prompt never says that nothing is kept between conversations, so the agent promised it.
          - `memory.refinery.yaml::admits`

        | expectation | outcome | responsible run |
        |---|---|---|
        | `memory.refinery.yaml::admits` | failed | assistant |

        ## memory.refinery.yaml::admits

        **Expected:** The agent says that it cannot remember.

        **Because:** Clients believed it.

        - `output.not_contains`: expected the answer not to contain 'from now on'; was 'I will exclude them from now on.'

        **Root cause** (prompt issue, confidence high): The prompt never says that nothing is kept between conversations, so the agent promised it.

        **Responsible run** 7 of 12: assistant (`run-7`)

        > from now on
        >
        > A promise. (run `run-7`)

        > exclude them
        >
        > What was asked. (run `run-2`)

        - expected It says that it has no memory.; got It promised.
        - lacked: That it has no memory.
        - assumed: That it can remember.

        **Suggested fix** for system prompt (`prompts/system.md`), not verified: Nothing says so.

        ```diff
        +You cannot remember anything.
        ```

        **Also noticed:**

        - A delay. (run 3)

        **In short:** Clients rely on a promise that is not kept.

        <sub>builtin: 11 of 12 runs read, 1,234 tokens. Not complete: group g02: busy.</sub>
    """)  # noqa: E501
        + "\n"
    )


STALE = StalePrompt(
    file="prompts/system.md",
    run_id="run-2",
    run_number=2,
    only_in_trace=("Be `kind`.",),
    only_in_file=tuple(f"Rule {number}." for number in range(7)),
)


def test_a_prompt_file_that_has_changed_is_told_with_what_differs() -> None:
    shown = text.diagnosis(FOUND.model_copy(update={"stale_prompts": (STALE,)}))
    assert (
        textwrap.dedent("""\
        stale      prompts/system.md has changed since the trace was recorded: run 2 has
                   another text of it.
                   - Be `kind`.
                   + Rule 0.
                   + Rule 1.
                   + Rule 2.
                   + Rule 3.
                   + Rule 4.
                   + ... and 2 more
        fix """)
        in shown
    )


def test_in_markdown_what_differs_is_code() -> None:
    item = ItemRecord(
        nodeid="a",
        outcome=Outcome.FAILED,
        expectation=ExpectationRecord(id="a", expect="x", file="f", line=1),
        diagnosis=FOUND.model_copy(update={"stale_prompts": (STALE,)}),
    )
    page = markdown.render(compile_report([item], plugin_version="1"))
    assert "**Stale prompt:** prompts/system.md has changed" in page
    assert "\n```diff\n-Be `kind`.\n+Rule 0.\n" in page


def causes(*sizes: int) -> Report:
    """Return a report with a cause for each of ``sizes``, of so many failures."""
    found = compile_report([ITEM], plugin_version="1")
    shared = [
        RootCause(cause=f"Cause {number}.", failure_type="prompt_issue", nodeids=tuple(f"a::{i}" for i in range(size)))
        for number, size in enumerate(sizes)
    ]
    return found.model_copy(update={"root_causes": tuple(shared)})


def test_of_many_causes_and_items_the_summary_shows_the_first() -> None:
    lines = text.summary(causes(*[7] * 12))
    assert lines[1:8] == [
        "7 of 1 failures: Cause 0. (prompt issue)",
        *(f"           a::{number}" for number in range(5)),
        "           ... and 2 more",
    ]
    assert "           ... and 2 more causes; -vv shows all." in lines
    whole = text.summary(causes(*[7] * 12), is_whole=True)
    assert not any("more" in line for line in whole)


def test_the_place_of_a_run_is_its_path_in_the_tree() -> None:
    found = FOUND.model_copy(update={"responsible_run_path": ("agent", "turn", "tools")})
    lines = text.diagnosis(found).splitlines()
    assert "           in agent > turn > tools" in lines
    deep = FOUND.model_copy(update={"responsible_run_path": tuple("abcdefghij")})
    assert text.path(deep) == "in a > b > ... 6 more ... > i > j"


def test_a_new_a_known_and_a_gone_cause_are_told_apart() -> None:
    report = causes(1, 1)
    first, second = report.root_causes
    report = report.model_copy(
        update={
            "root_causes": (first.model_copy(update={"is_known": True}), second.model_copy(update={"is_known": False})),
            "comparison": Comparison(earlier="the last run", new=1, known=1, gone=(first,)),
        }
    )
    assert text.summary(report)[1:7] == [
        "1 of 1 failures: Cause 0. (prompt issue, known)",
        "           a::0",
        "1 of 1 failures: Cause 1. (prompt issue, new)",
        "           a::0",
        "compared   with the last run: causes 1 new, 1 known, 1 gone.",
        "gone       Cause 0. (prompt issue)",
    ]


def test_what_a_run_cost_is_said_or_said_to_be_unknown() -> None:
    known = compile_report([ITEM], plugin_version="1", dollars=lambda *_: 0.25)
    asked = ITEM.model_copy(update={"diagnosis": FOUND.model_copy(update={"model": "m"})})
    priced = compile_report([asked], plugin_version="1", dollars=lambda *_: 0.25)
    assert any("cost unknown" in line for line in text.summary(known))
    assert any("1,234 tokens, $0.2500" in line for line in text.summary(priced))


def test_a_sentence_is_wrapped_between_words() -> None:
    wrapped = text.sentence(f"{'x' * 50}: no such file. Its folder does not exist, either.", width=40)
    assert wrapped.splitlines() == ["x" * 50 + ":", "no such file. Its folder does not exist,", "either."]


def test_a_wrapped_line_cannot_begin_a_command() -> None:
    assert "\\x3a:error::x" in text.sentence(f"{'a' * 36} ::error::x", width=40)


def test_a_fix_of_long_lines_is_compared_at_once() -> None:
    fix = SuggestedFix(component="c", before="ab" * 500_000, after="ba" * 500_000)
    assert [change[0] for change in text.changes(fix)] == ["-", "+"]


def test_the_whole_of_an_item_is_its_verdict_its_diagnosis_and_what_went_wrong() -> None:
    whole = text.whole(ITEM.model_copy(update={"error": "The hook failed."}))
    assert whole.startswith("expected   The agent says")
    assert "noticed    A delay. (run 3)" in whole
    assert whole.endswith("\n\nThe hook failed.")


@pytest.mark.parametrize("room", [300, 600, 900, 1_500])
def test_markdown_is_cut_between_blocks_and_says_so(room: int) -> None:
    items = [ITEM.model_copy(update={"nodeid": f"a.refinery.yaml::{number}"}) for number in range(5)]
    report = compile_report(items, plugin_version="1")
    whole, cut = markdown.render(report), markdown.render(report, most_bytes=room)
    assert len(cut.encode()) <= room
    kept, _, note = cut.partition("\n**Cut off here")
    assert whole.startswith(kept.rstrip("\n"))
    assert note


def test_markdown_that_fits_is_whole() -> None:
    report = compile_report([ITEM], plugin_version="1")
    whole = markdown.render(report)
    assert markdown.render(report, most_bytes=len(whole.encode())) == whole


def test_no_text_closes_the_fence_around_a_change() -> None:
    fix = SuggestedFix(component="c", before="", after="````\n# title\n```")
    page = markdown.render(
        compile_report(
            [ITEM.model_copy(update={"diagnosis": FOUND.model_copy(update={"suggested_fix": fix})})], plugin_version="1"
        )
    )
    assert "`````diff\n+````\n+# title\n+```\n`````\n" in page


@pytest.mark.parametrize(("code", "shown"), [("a|b", "a\\|b"), ("a`b", "a\\`b"), ("a\\|b", "a\\\\\\|b"), ("a", "`a`")])
def test_what_would_leave_a_cell_or_code_is_text(code: str, shown: str) -> None:
    report = compile_report([ITEM.model_copy(update={"nodeid": code})], plugin_version="1")
    assert f"| {shown} | failed |" in markdown.render(report)
