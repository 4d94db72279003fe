from __future__ import annotations

from pytest_refinery.analysis.ports import PromptFile
from pytest_refinery.analysis.schemas import FailureType, SuggestedFix
from pytest_refinery.llm.builtin import fixes
from pytest_refinery.llm.builtin.reading import Reading, Sign
from tests.unit.llm.scenes import agent, case, system, talk, user

PROMPT = "You help clients of a bank.\n\n- Be friendly.\n"


def suggested(
    expect: str, *files: PromptFile, rule: str = "refused", kind: FailureType = FailureType.PROMPT_ISSUE
) -> SuggestedFix | None:
    reading = Reading.of(case(talk(system(PROMPT), user("Go."), agent("Fine.")), expect=expect, prompt_files=files))
    return fixes.suggest(reading, Sign(reading.steps[-1], rule, "It was wrong.", kind, "Fine."))


def test_the_instruction_is_added_to_the_prompt_file_that_was_used() -> None:
    used = PromptFile("prompts/bank.md", PROMPT)
    fix = suggested("The agent names the fee.", PromptFile("prompts/shop.md", "Sell shoes."), used)
    assert fix is not None
    assert (fix.file, fix.before, fix.after) == (
        "prompts/bank.md",
        "- Be friendly.",
        "- Be friendly.\n- Before you refuse, check with your tools whether it can be done.",
    )
    assert fix.before in used.text


def test_where_a_service_failed_no_prompt_helps() -> None:
    assert suggested("The agent names the fee.", rule="service_failed", kind=FailureType.INFRASTRUCTURE) is None
