"""Every list of literal cue words, with the reason why a rule has to look for words there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from pytest_refinery.analysts import rules
from pytest_refinery.analysts.rules.facts import cues

PACKAGE = Path(rules.__file__).parent
REASONS = {
    "abbreviations": "a full stop behind one ends no sentence",
    "acting": "a prompt's sentence about confirmation is about changes",
    "action": "loops without tool calls label what a program is to carry out",
    "again": "a user may ask for the same change twice",
    "agreed": "a change needs the user's yes",
    "assumed": "made-up data is announced in words only",
    "at_the_beginning": "a prompt says what comes first in words only",
    "below": "a rule of a prompt is about what is below its figure",
    "changes": "the first verb of a tool's description says that it changes something",
    "claimed": "with 'done': the agent reports a change as made",
    "conditional": "'will be cancelled' is no report",
    "corrects": "a user takes something back",
    "denied": "'I cannot remember' is no promise",
    "done": "the agent reports a change as made",
    "ends_it": "a change that leaves nothing of a record takes in all its parts",
    "failed": "a text says first that it is an error",
    "first": "a prompt says what must come before a change",
    "first_person": "the agent promises for itself",
    "forbids": "a sentence of a prompt that rules something out",
    "forgets": "a prompt may say that nothing is kept",
    "gave_up": "an agent says that it did not find something",
    "handover": "with 'person': a call that passes the conversation on",
    "is_done": "'is booked' reports a change where the verb stands right before",
    "keeps": "a tool that can keep a promise",
    "lasting": "a promise for later is made in words only",
    "least": "the agent calls one entry the cheapest",
    "limits": "frameworks say in words that they stopped a run",
    "modals": "a sentence of a prompt that demands something",
    "months": "dates are written with them",
    "most": "the agent calls one entry the most expensive",
    "negations": "a sentence that forbids or denies",
    "not_found": "an error says that a record does not exist",
    "observation": "loops without tool calls label what a program returned",
    "only_quotes": "a description says that nothing is changed",
    "orders": "a user asks for something to be done",
    "outage": "an error says that a service did not answer",
    "person": "with 'handover': the conversation goes to a person, not to another agent",
    "reads": "the first verb of a tool's description says that it only reads",
    "refused": "the agent turns a request down",
    "same_as_before": "'the original card' chooses among cards without naming one",
    "state": "an error says that a record's state forbids the call",
    "stop_words": "words that say nothing about what a sentence is about; the language is guessed by them",
    "takes_back": "a user takes a request back without another in its place",
    "thinks": "a call that only thinks brings no facts",
    "wants_confirmation": "a prompt, or the agent, asks for a yes",
    "withdraws": "a user turns to something else",
    "wonders": "a user asks what a change would mean",
}
SETTINGS = {"language", "decimal_comma"}


@pytest.mark.parametrize("language", cues.languages())
def test_every_list_is_short_used_and_has_a_reason(language: str) -> None:
    lists = tomllib.loads((PACKAGE / "cues" / f"{language}.toml").read_text(encoding="utf-8"))
    assert set(lists) - SETTINGS <= set(REASONS)
    assert all(len(words) <= 75 for name, words in lists.items() if name not in SETTINGS | {"stop_words"})


def test_every_list_is_used() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    assert [name for name in REASONS if f'"{name}"' not in code] == []


def test_no_list_but_these_is_looked_for() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    used = set(re.findall(r'cues\.(?:find|all|pattern)\(\s*"(\w+)"', code)) | set(re.findall(r'cues\["(\w+)"\]', code))
    assert used <= set(REASONS)


def test_there_is_a_file_for_each_language_that_the_documentation_names() -> None:
    assert cues.languages() == ("de", "en", "es", "fr", "it", "ja", "nl", "pt", "zh")
