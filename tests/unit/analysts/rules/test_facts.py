"""What a trace holds: values, parties, effects, languages."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.analysis.ports import PromptFile
from pytest_refinery.analysts.rules.facts import cues, texts, values
from pytest_refinery.analysts.rules.facts.calls import Effect
from pytest_refinery.analysts.rules.facts.cues import Cues
from pytest_refinery.analysts.rules.facts.parties import Party
from pytest_refinery.analysts.rules.facts.trace_facts import Source, TraceFacts
from tests.unit.analysts.rules.scenes import EXPECT, agent, case, did, facts, speaks, system, talk, user

ENGLISH, GERMAN = Cues(["en"]), Cues(["de"])


def found(text: str, language: Cues = ENGLISH) -> list[tuple[str, str]]:
    return [(value.kind, value.key) for value in values.find(text, language)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,234.50 USD", [("figure", "1234.5")]),
        ("20 %", [("figure", "20")]),
        ("order #W2702727", [("id", "w2702727")]),
        ("NM-4471-08", [("id", "nm-4471-08")]),
        ("3 March 2026", [("date", "03-03")]),
        ("March 3rd", [("date", "03-03")]),
        ("2026-03-03 at 14:05", [("date", "03-03"), ("time", "14:05")]),
        ("17-inch, 8GB", [("figure", "17"), ("figure", "8")]),
        ("5-7 days", [("figure", "5"), ("figure", "7")]),
        ("1. First\n2. Second", []),
        ("a@b.org and https://c.org/17", [("address", "a@b.org"), ("address", "https://c.org/17")]),
        ("8997785118", [("id", "8997785118")]),
        ("391.187.181.375", [("figure", "391187181375")]),
    ],
)
def test_values_are_read_in_one_form(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


def test_a_decimal_comma_is_read_by_language_and_the_other_reading_is_kept() -> None:
    assert found("1.234,50 EUR und 3,5 %", GERMAN) == [("figure", "1234.5"), ("figure", "3.5")]
    assert values.figure_keys("1.234", decimal_comma=True) == ("1234", "1.234")
    assert values.figure_keys("1.234") == ("1.234", "1234")
    assert found("am 3. März", GERMAN) == [("date", "03-03")]


@given(st.text(alphabet="0123456789.,-#:/ aZ_@\n", max_size=200))
def test_any_text_is_read_and_its_values_stand_in_it(text: str) -> None:
    for value in values.find(text, ENGLISH):
        assert text[value.start : value.start + len(value.text)] == value.text


@given(st.integers(0, 10**9), st.integers(0, 99))
def test_a_figure_is_the_same_with_and_without_separators(whole: int, cents: int) -> None:
    keys = {values.figure_keys(f"{whole:,}.{cents:02}")[0], values.figure_keys(f"{whole}.{cents:02}")[0]}
    assert len(keys) == 1 or whole < 1000


def test_sentences_survive_ordinals_and_abbreviations() -> None:
    assert texts.sentences("It is due on the 31. March, e.g. by post. Then it ends.", ENGLISH) == [
        "It is due on the 31. March, e.g. by post.",
        "Then it ends.",
    ]
    assert texts.sentences("Am 31. März ist Schluss. Danach nicht.", GERMAN) == [
        "Am 31. März ist Schluss.",
        "Danach nicht.",
    ]


def test_a_value_knows_its_source() -> None:
    read = facts(
        system("The limit is 5,000 EUR."),
        user("My damage is 4,200."),
        did("look", {}, {"excess": 300}),
        agent("You get 3,900; the service fee is 77."),
    )
    sources = {value.text: read.source(value)[0] for value in read.values[-1]}
    assert sources == {"3,900": Source.AGENT, "77": Source.AGENT}
    (limit,) = values.find("5000", ENGLISH)
    (excess,) = values.find("300", ENGLISH)
    (damage,) = values.find("4200", ENGLISH)
    assert [read.source(value)[0] for value in (limit, excess, damage)] == [Source.PROMPT, Source.TOOL, Source.PERSON]
    assert read.is_derived(values.find("3,900", ENGLISH)[0], before=5)


def test_an_environment_in_the_users_role_is_no_person() -> None:
    read = facts(
        user("Find the oldest file."),
        agent("I will list them.\nAction: ls -la"),
        user("Observation: total 3\n-rw-r--r-- a.txt"),
        agent("Action: cat a.txt"),
        user("Error: no such file"),
        agent("It is a.txt."),
    )
    assert [read.party(step) for step in read.steps] == [
        Party.PERSON,
        Party.AGENT,
        Party.ENVIRONMENT,
        Party.AGENT,
        Party.ENVIRONMENT,
        Party.AGENT,
    ]


def test_a_named_user_of_a_chat_is_a_person() -> None:
    read = facts(user("Hello.", "Ines"), agent("Good day.", "Desk"), user("Bye.", "Ines"), agent("Bye.", "Desk"))
    assert [read.party(step) for step in read.steps] == [Party.PERSON, Party.AGENT, Party.PERSON, Party.AGENT]


def test_a_leader_is_known_by_who_speaks_after_whom() -> None:
    read = facts(
        speaks("Lead", "Plan."),
        speaks("Lead", "Searcher, find it."),
        speaks("Searcher", "Found a page."),
        speaks("Lead", "Coder, count."),
        speaks("Coder", "Seven."),
        speaks("Lead", "Seven."),
    )
    assert read.parties.leaders == {"Lead"}
    assert read.parties.workers == {"Searcher", "Coder"}


def test_effects_are_learned_from_records_and_a_name_is_only_a_hint() -> None:
    order = {"order_id": "R-4410", "state": "open"}
    read = facts(
        user("?"),
        did("get_order", {"order_id": "R-4410"}, order),
        did("handle_order", {"order_id": "R-4410"}, order | {"state": "closed"}),
        did("update_note", {"text": "x"}, {"ok": True}),
        did("estimate_payout", {"x": 1}, {"sum": 1}),
        did("payout", {"x": 1}, {"sum": 1}),
    )
    effects = {call.name: call.effect for call in read.calls}
    assert effects == {
        "get_order": Effect.READS,
        "handle_order": Effect.SEEN,
        "update_note": Effect.HINTED,
        "estimate_payout": Effect.READS,
        "payout": Effect.UNKNOWN,
    }


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The agent does not know when it will be there.", "en"),
        ("Die Bestellung ist noch nicht da, und wir wissen nicht warum.", "de"),
        ("La commande est en route et elle arrive dans trois jours.", "fr"),
        ("El pedido no ha llegado y no sabemos por qué.", "es"),
        ("O pedido ainda não chegou e não sabemos por quê.", "pt"),
        ("L'ordine non è ancora arrivato e non sappiamo il perché.", "it"),
        ("De bestelling is nog niet aangekomen en we weten niet waarom.", "nl"),
        ("注文はまだ届いていません。", "ja"),
        ("我们的订单还没有到。", "zh"),
        ("Zamówienie jeszcze nie dotarło.", ""),
        ("12345", ""),
    ],
)
def test_the_language_is_guessed(text: str, language: str) -> None:
    assert cues.guess(text) == language


def test_records_say_what_was_known_before_a_step() -> None:
    read = facts(
        did("get_order", {"order_id": "R-4410"}, {"order_id": "R-4410", "state": "open"}),
        did("get_order", {"order_id": "R-4410"}, {"order_id": "R-4410", "state": "closed"}),
    )
    assert [record.fields["state"] for record in read.records.about("#r-4410", before=9)] == ["closed", "open"]
    assert [record.fields["state"] for record in read.records.about("R-4410", before=3)] == ["open"]


@pytest.mark.parametrize(
    "text",
    ["\n" * 40_000, " " * 200_000, "1." * 100_000, "a-" * 100_000, "." * 200_000, "#" * 100_000, "1 " * 40_000],
)
def test_hostile_texts_are_read_in_linear_time(text: str) -> None:
    read = facts(user(text), did("look", {}, text), agent(text), expect="The answer is 7.")
    assert read.values is not None
    assert texts.sentences(text, ENGLISH) is not None
    assert texts.quote(text, len(text) // 2, ENGLISH) is not None
    assert json.dumps(read.languages)


def test_cases_about_one_trace_are_read_once_and_those_with_other_prompts_anew() -> None:
    trace = talk(user("Where is order W2702727?"), agent("It is on its way since 3 March."))
    one, other = (TraceFacts.of(case(trace, expect=expect)) for expect in ("It says where it is.", "It says when."))
    prompted = replace(case(trace, expect=EXPECT), prompt_files=(PromptFile("system.md", "Orders begin with W27."),))
    assert one.values is other.values
    assert one.parties is other.parties
    assert one.expected_values == other.expected_values == ()
    assert TraceFacts.of(prompted).holders != one.holders
    assert (
        TraceFacts.of(case(trace, expect="Der Agent sagt nicht, wann die Bestellung bei dem Kunden ist.")).cues[
            "months"
        ]
        != one.cues["months"]
    )
