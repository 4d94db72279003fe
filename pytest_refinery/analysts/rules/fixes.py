"""What to change, for the causes that a prompt can carry a rule against.

A rule is written for the kind of mistake: no value, question, id or name of the case ever enters it. There is none
where facts or arithmetic were wrong, a service was down, or the expectation may be.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import SuggestedFix
from pytest_refinery.analysts.rules.facts import texts
from pytest_refinery.traces import messages

if TYPE_CHECKING:
    from pytest_refinery.analysis.ports import PromptFile
    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.analysts.rules.findings import Found

RULES = {
    "lasting_promise": "You have no memory: nothing is kept from one conversation to the next. Never promise to "
    "remember "
    "anything.",
    "claimed_without_call": "Say that something is done only after the tool that does it has reported success.",
    "unconfirmed_change": "Before you change anything, list what will change, and wait until the user says yes.",
    "agreed_and_not_done": "When the user has said yes, make the call before you answer.",
    "acted_on_question": "When the user only asks what a change would mean, explain it and change nothing.",
    "wish_passed_over": "Before you end a conversation, check that all that the user asked for is done.",
    "duplicate_change": "Never repeat a change that has succeeded; tell the user that it is done.",
    "ignored_person": "Before you act, compare the call with what the user last said; the latest word counts.",
    "ignored_wish": "Before you act, compare the call with what the user last said; the latest word counts.",
    "unasked_choice": "Where there is more than one possibility, ask the user which one to use.",
    "unavailable_choice": "Offer and use only entries that the tool marks as available.",
    "wider_than_asked": "If the user wants only a part of a record changed and the tool changes all of it, say so "
    "and ask "
    "before you act.",
    "closed_door": "If several changes to one record are asked for, make the one that rules out further changes last.",
    "handed_over": "Hand over to a person only when none of your tools can do what is asked.",
    "early_handover": "Hand over to a person only when none of your tools can do what is asked.",
    "refused_it": "Before you turn a request down, check with your tools whether it can be done.",
    "refused_without_looking": "Before you turn a request down, check with your tools whether it can be done.",
    "invented_argument": "Use only values in tool calls that the user or a tool has given; ask for the others.",
    "other_record": "Look up the very record that the user names, under the name that the user gave.",
    "skipped_first_step": "Do the first step that these rules name before any other call.",
    "answered_from_wrong_source": "Before you answer from a document, check that it is about what the user asked. If "
    "not, search "
    "again with other words; if nothing fits, say so.",
    "left_out": "Tell the user every condition that a tool's result names.",
    "repeated_call": "Do not repeat a call with the same arguments; use the result that you have, or try another way.",
    "brought_by_call": "Look up and tell only what concerns the user's own records.",
}


def suggest(facts: TraceFacts, found: Found) -> SuggestedFix | None:
    """Return the change that would have prevented a finding, ``None`` where no prompt carries one."""
    rule = RULES.get(found.rule, "")
    if not rule or (facts.parties.is_team and not facts.given):
        return None
    file = _prompt_file(facts, found)
    text = file.text if file else facts.given
    before = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    return SuggestedFix(
        component="system prompt",
        file=file.path if file else None,
        before=before,
        after=f"{before}{_separator(before)}{rule}" if before else rule,
        why="A rule against this kind of mistake.",
    )


def _prompt_file(facts: TraceFacts, found: Found) -> PromptFile | None:
    """Return the file that is nearest to the instructions of the agent that acted."""
    told = _system_prompt(facts, found) or "\n".join(facts.prompts)
    stems = texts.content(told, facts.cues)
    files = facts.case.prompt_files
    return max(files, key=lambda file: len(texts.content(file.text, facts.cues) & stems), default=None)


def _system_prompt(facts: TraceFacts, found: Found) -> str:
    run = facts.case.trace.by_id[found.step.run_id]
    spoken = messages.read(run.inputs).messages
    return "\n".join(message.text for message in spoken if message.role == "system")


def _separator(before: str) -> str:
    bullet = re.match(r"[-*]\s", before)
    return f"\n{bullet.group()}" if bullet else "\n"
