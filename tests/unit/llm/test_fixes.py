from __future__ import annotations

import pytest

from pytest_refinery.analysis.ports import PromptFile
from pytest_refinery.analysis.schemas import FailureType, SuggestedFix
from pytest_refinery.llm.builtin import fixes
from pytest_refinery.llm.builtin.reading import Reading, Sign
from tests.unit.llm.scenes import agent, case, system, talk, user

PROMPT = "You help clients of a bank.\n\n- Be friendly.\n"


def suggested(
    expect: str, *files: PromptFile, rule: str = "expected_topic", kind: FailureType = FailureType.PROMPT_ISSUE
) -> SuggestedFix | None:
    reading = Reading.of(case(talk(system(PROMPT), user("Go."), agent("Fine.")), expect=expect, prompt_files=files))
    return fixes.suggest(reading, Sign(reading.steps[-1], rule, "It was wrong.", kind, "Fine."))


@pytest.mark.parametrize(
    ("expect", "instruction"),
    [
        ("The agent says that it cannot keep preferences.", "Say that you cannot keep preferences."),
        ("The agent asks for a confirmation before it cancels.", "Ask for a confirmation before you cancel."),
        (
            "The agent says that it has no memory and is sorry.",
            "Required: The agent says that it has no memory and is sorry.",
        ),
        ("The agent says whether it is sure.", "Say whether you are sure."),
        ("The agent explains it to the client.", "Explain it to the client."),
        ("The assistant must ask for its client's consent", "Ask for your client's consent."),
        ("The agent does not promise anything.", "Do not promise anything."),
        ("The agent never promises anything.", "Never promise anything."),
        ("The answer names the fee.", "Name the fee."),
        ("Fees are named.", "Required: Fees are named."),
    ],
)
def test_an_expectation_becomes_an_instruction(expect: str, instruction: str) -> None:
    fix = suggested(expect)
    assert fix is not None
    assert fix.after.splitlines()[-1].removeprefix("- ") == instruction


def test_the_instruction_is_added_to_the_prompt_file_that_was_used() -> None:
    used = PromptFile("prompts/bank.md", PROMPT)
    fix = suggested("The agent names the fee.", PromptFile("prompts/shop.md", "Sell shoes."), used)
    assert fix is not None
    assert (fix.file, fix.before, fix.after) == ("prompts/bank.md", "- Be friendly.", "- Be friendly.\n- Name the fee.")
    assert fix.before in used.text


def test_where_a_service_failed_no_prompt_helps() -> None:
    assert suggested("The agent names the fee.", rule="service_failed", kind=FailureType.INFRASTRUCTURE) is None
