"""Whole texts, as a reader sees them."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysis.records import (
    AgentRecord,
    Change,
    CheckRecord,
    Comparison,
    ExpectationRecord,
    ItemRecord,
    JudgeRecord,
    JudgeVerdict,
    Outcome,
    PromptsRecord,
    Report,
    RootCause,
    TraceRecord,
    TrialRecord,
)
from pytest_refinery.analysis.schemas import (
    Candidate,
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
from pytest_refinery.expectations.severity import Severity
from pytest_refinery.reports import labels, markdown, text
from pytest_refinery.reports.text import Detail

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
    responsible_run_kind="llm",
    call='save(note: "no sweeps")',
    result="Traceback (most recent call last):\n  File \"a.py\"\nKeyError: 'notes'\n",
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
        Expected     The agent says that it cannot remember.
        Why          Clients believed it.
        Failed       output.not_contains: expected the answer not to contain 'from now
                     on'; actual: 'I will exclude them from now on.' (in assistant, id
                     run-7)
    """)


def with_agent(*outcomes: Outcome, wanted: int) -> ItemRecord:
    trials = tuple(TrialRecord(number=number, outcome=outcome) for number, outcome in enumerate(outcomes, start=1))
    agent = AgentRecord(target="shop:answer", wanted=wanted, shown=2 if len(trials) > 1 else 1, trials=trials)
    return ITEM.model_copy(update={"agent": agent})


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (with_agent(Outcome.FAILED, wanted=1), "Agent        shop:answer, re-run"),
        (
            with_agent(Outcome.PASSED, Outcome.FAILED, Outcome.PASSED, wanted=3),
            "Agent        shop:answer, re-run: 2 of 3 trials met, 3 needed; this is trial 2",
        ),
        (
            with_agent(Outcome.PASSED, Outcome.FAILED, Outcome.UNDECIDED, wanted=2),
            "Agent        shop:answer, re-run: 1 of 3 trials met, 2 needed; this is trial 2",
        ),
    ],
)
def test_a_verdict_names_the_agent_that_was_run_and_counts_its_trials(item: ItemRecord, line: str) -> None:
    assert line in text.verdict(item, width=100).splitlines()
    assert f"**Agent:** {line.removeprefix('Agent        ')}" in markdown.render(
        compile_report([item], plugin_version="1")
    )


def test_a_diagnosis_reads_top_down() -> None:
    assert text.diagnosis(FOUND, checks=ITEM.checks) == block("""
        Root cause   The prompt never says that nothing is kept between conversations,
                     so the agent promised it.
                     prompt issue, confidence high, by rules
        Step         7 of 12, model call assistant (id run-7)
        Call         save(note: "no sweeps")
        Result       KeyError: 'notes'
        Fix          system prompt, prompts/system.md (not verified): Nothing says so.
                     + You cannot remember anything.
        Incomplete   group g02: busy
        Evidence     "from now on"
                     A promise.
        Evidence     "exclude them"
                     What was asked. (step 2)
        Expected     It says that it has no memory.
        Actual       It promised.
        Missing in the prompt: That it has no memory.
        Wrong assumption: That it can remember.
        Summary      Clients rely on a promise that is not kept.
        Also noticed A delay. (step 3)
        Analyst      rules: 11 of 12 steps read (91.7 %), 1,234 tokens, 1.5 s, of which
                     0.5 s waiting for the limit
    """)


def judged_item(*, trials: int = 1) -> ItemRecord:
    judge = JudgeRecord(
        model="a-model",
        verdict=JudgeVerdict.NOT_MET,
        trials=trials,
        reasons=("It promised to remember. " * 6, "It named no way out. " * 6),
        quotes=FOUND.evidence[:1],
        cost=StageReport(name="judge"),
    )
    return ITEM.model_copy(update={"judge": judge, "checks": ()})


LONG = "A sentence of some length that says again what has been said before. " * 5
TALK = TraceRecord(
    id="t",
    name="t",
    source="t.json",
    format="langsmith",
    runs=12,
    asked=f"What is it? {LONG}",
    answered=f"{LONG}I will leave them out from now on. {LONG}",
)


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize(
    "item",
    [
        ITEM,
        ITEM.model_copy(update={"checks": (CHECK,) * 5}),
        ITEM.model_copy(update={"diagnosis": FOUND.model_copy(update={"stale_prompts": ()})}),
        judged_item(),
        judged_item(trials=5),
        with_agent(Outcome.FAILED, wanted=1),
        with_agent(Outcome.PASSED, Outcome.FAILED, wanted=2),
    ],
)
def test_a_failure_takes_at_most_16_lines_with_what_pytest_adds(item: ItemRecord, width: int) -> None:
    wordy = item.expectation.model_copy(
        update={"expect": LONG, "business_context": LONG, "severity": Severity.CRITICAL}
    )
    item = item.model_copy(update={"expectation": wordy, "trace": TALK})
    assert item.diagnosis is not None
    found = item.diagnosis.model_copy(update={"root_cause": LONG})
    above = text.verdict(item, width=width, detail=Detail.SHORT).splitlines()
    links = [(labels.MORE, "out/index.html#admits"), (labels.TRACE, "https://smith.langchain.com/o/1/p/2/r/3")]
    below = text.diagnosis(
        found, width=width, detail=Detail.SHORT, lines=text.MOST_LINES - len(above), links=links
    ).splitlines()
    assert len(above) + len(below) <= 14
    # An address stays whole, so that it can be opened.
    assert all(len(line) <= width for line in (*above, *below) if not line.startswith((labels.MORE, labels.TRACE)))
    labels_shown = [line[:13].strip() for line in (*above, *below)]
    for label in ("Severity", "Expected", "Why", "Asked", "Answered", "Failed", "Root cause", "Step"):
        assert label in labels_shown


def test_the_part_of_a_long_answer_is_shown_that_a_check_objects_to() -> None:
    item = ITEM.model_copy(update={"trace": TALK, "checks": (CHECK.model_copy(update={"text": "from now on"}),)})
    assert "from now on" in " ".join(text.verdict(item, detail=Detail.SHORT).split("Failed")[0].split())


def test_v_adds_evidence_and_candidates_and_vv_the_rest() -> None:
    several = tuple(
        Candidate(run_id=f"run-{number}", run_number=number, run_name="x", reason="It may be.", share=0.5)
        for number in (7, 2)
    )
    found = FOUND.model_copy(update={"candidates": several})
    short, more, whole = (text.diagnosis(found, detail=detail) for detail in Detail)
    for label, shown_in in (("Evidence", (more, whole)), ("Candidates", (more, whole)), ("Analyst", (whole,))):
        assert [label in each for each in (short, more, whole)] == [each in shown_in for each in (short, more, whole)]
    assert "run-7" not in short + more


def test_a_cause_that_was_not_determined_shows_its_candidates_at_once() -> None:
    several = tuple(
        Candidate(run_id=f"run-{number}", run_number=number, run_name="search", reason="It failed.", share=0.5)
        for number in (7, 2)
    )
    none = {"failure_type": None, "root_cause": None, "responsible_run_id": None, "candidates": several}
    shown = text.diagnosis(FOUND.model_copy(update=none), detail=Detail.SHORT, lines=7)
    assert "Root cause   not determined, by rules" in shown
    assert "Candidates   step 7, search: It failed.\n             step 2, search: It failed." in shown


def test_the_summary_names_causes_costs_and_files() -> None:
    report = compile_report([ITEM], plugin_version="1")
    assert (
        text.summary(report, files=["out/report.json"])
        == block("""
        1 failed.
        Diagnosed    by rules: 1,234 tokens, cost unknown, 0.5 s waiting for the limit
        Report       out/report.json
    """).splitlines()
    )


def test_a_diagnosis_without_a_run_says_so() -> None:
    nobody = FOUND.model_copy(update={"responsible_run_id": None, "evidence": ()})
    assert "Step         no single step could be named" in text.diagnosis(nobody).splitlines()


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_lines_keep_to_the_width_where_words_allow(width: int) -> None:
    longest = max(len(line) for line in text.diagnosis(FOUND, width=width).splitlines())
    assert longest <= max(width, 40)


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

        1 failed. Why: The prompt never says that nothing is kept between conversations, so the agent promised it.

        ## Root causes

        - **1 failure** (prompt issue): The prompt never says that nothing is kept between conversations, so the agent promised it.
          - `memory.refinery.yaml::admits`

        | expectation | outcome | severity | step |
        |---|---|---|---|
        | `memory.refinery.yaml::admits` | failed | medium | assistant |

        ## memory.refinery.yaml::admits

        **Expected:** The agent says that it cannot remember.

        **Why:** Clients believed it.

        **Severity:** medium

        - **Failed:** `output.not_contains`: expected the answer not to contain 'from now on'. Actual: 'I will exclude them from now on.'

        **Root cause** (prompt issue, confidence high, by rules): The prompt never says that nothing is kept between conversations, so the agent promised it.

        **Step:** 7 of 12, model call assistant

        **Call:** `save(note: "no sweeps")`

        **Result:** KeyError: 'notes'

        > from now on
        >
        > A promise. (step 7)

        > exclude them
        >
        > What was asked. (step 2)

        - **Expected:** It says that it has no memory. **Actual:** It promised.
        - **Missing in the prompt:** That it has no memory.
        - **Wrong assumption:** That it can remember.

        **Fix:** system prompt (`prompts/system.md`), not verified: Nothing says so.

        ```diff
        +You cannot remember anything.
        ```

        **Also noticed:**

        - A delay. (step 3)

        **Summary:** Clients rely on a promise that is not kept.

        <sub>rules: 11 of 12 steps read, 1,234 tokens. Incomplete: group g02: busy.</sub>
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
        Prompt changed since recording: prompts/system.md (step 2 had another text)
                     - Be `kind`.
                     + Rule 0.
                     + Rule 1.
                     + Rule 2.
                     + Rule 3.
                     + Rule 4.
                     + ... and 2 more""")
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
    assert "**Prompt changed since recording:** prompts/system.md \\(step 2" in page
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
    assert lines[1:5] == [
        "7 failures   Cause 0. (prompt issue)",
        "             0, 1, 2, ... and 4 more",
        "7 failures   Cause 1. (prompt issue)",
        "             0, 1, 2, ... and 4 more",
    ]
    assert "             ... and 2 more causes; -vv shows all." in lines
    whole = text.summary(causes(*[7] * 12), detail=Detail.WHOLE)
    assert not any("more" in line for line in whole)


def test_the_summary_repeats_no_single_failure() -> None:
    lines = text.summary(causes(2, 1, 1, 1), files=["out/report.json"])
    assert lines[1:4] == [
        "2 failures   Cause 0. (prompt issue)",
        "             0, 1",
        "3 failures with a cause of their own",
    ]


def test_the_summary_counts_the_prompts_of_each_trace_once() -> None:
    known = PromptsRecord(found=3, files=2, matching=1, evals=1)
    seen = TraceRecord(id="t", name="t", source="t.json", format="langsmith", runs=1, prompts=known)
    items = [ITEM.model_copy(update={"nodeid": name, "trace": seen}) for name in ("a", "b")]
    report = compile_report(items, plugin_version="1")
    assert text.prompts(report) == "3 in the traces, 1 of 2 prompt files match, 1 eval files"
    assert "Prompts      3 in the traces, 1 of 2 prompt files match, 1 eval files" in text.summary(report)


def test_the_summary_counts_severities_and_lists_the_worst_cause_first() -> None:
    items = [
        ITEM.model_copy(
            update={
                "nodeid": f"a::{number}",
                "expectation": ITEM.expectation.model_copy(update={"severity": severity}),
                "diagnosis": FOUND.model_copy(update={"cause": cause}),
            }
        )
        for number, (severity, cause) in enumerate(
            [(Severity.LOW, "Slow.")] * 3 + [(Severity.CRITICAL, "Wrong."), (Severity.MEDIUM, "Wrong.")]
        )
    ]
    lines = text.summary(compile_report(items, plugin_version="1"))
    assert lines[:4] == [
        "5 failed.",
        "Severity     1 critical, 1 medium, 3 low",
        "2 failures   Wrong. (prompt issue, critical)",
        "             3, 4",
    ]


def test_the_place_of_a_run_is_its_path_in_the_tree() -> None:
    found = FOUND.model_copy(update={"responsible_run_path": ("agent", "turn", "tools")})
    lines = text.diagnosis(found).splitlines()
    assert "Step         7 of 12, model call assistant in agent > turn > tools (id run-7)" in lines
    deep = FOUND.model_copy(update={"responsible_run_path": tuple("abcdefghij")})
    assert text.path(deep) == "in a > b > ... 6 more ... > i > j"


def test_a_new_a_known_and_a_gone_cause_are_told_apart() -> None:
    report = causes(1, 1)
    first, second = report.root_causes
    report = report.model_copy(
        update={
            "root_causes": (first.model_copy(update={"is_known": True}), second.model_copy(update={"is_known": False})),
            "comparison": Comparison(earlier="the last run", new=1, known=1, gone=(first,), changes={Change.FIXED: 1}),
        }
    )
    assert text.summary(report, detail=Detail.WHOLE)[1:7] == [
        "1 failure    Cause 0. (prompt issue, known)",
        "             0",
        "1 failure    Cause 1. (prompt issue, new)",
        "             0",
        "vs last run: 1 new, 1 known, 1 fixed",
        "Fixed        Cause 0. (prompt issue)",
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
    assert whole.startswith("Expected     The agent says")
    assert "Also noticed A delay. (step 3)" in whole
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


def test_a_cause_and_a_fix_have_their_lines_before_the_result_of_the_call_has_one() -> None:
    found = FOUND.model_copy(
        update={
            "root_cause": "The user asks about Germany, and the agent answers from a result that speaks of no country.",
            "call": "search(query: 'wire')",
            "result": "A wire is the fastest way to move cash.",
            "stale_prompts": (),
        }
    )
    whole = text.diagnosis(found, detail=Detail.SHORT, lines=12)
    assert "A wire is" in whole
    short = text.diagnosis(found, detail=Detail.SHORT, lines=len(whole.splitlines()) - 1)
    assert short.splitlines() == [line for line in whole.splitlines() if not line.startswith("Result")]
