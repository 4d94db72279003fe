"""What speaks against the expectation itself: a record, a person or a prompt that says something else.

Nothing is doubted because the agent did something else than was demanded; somebody or something else has to say so.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.analysts.rules.facts import calls, texts, values
from pytest_refinery.analysts.rules.facts.records import is_id_key
from pytest_refinery.analysts.rules.findings import Found, Quoted, quoted, said, shown_call
from pytest_refinery.expectations.output_check import folded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_refinery.analysts.rules.facts.calls import Call
    from pytest_refinery.analysts.rules.facts.records import Record
    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.analysts.rules.facts.values import Value
    from pytest_refinery.traces.conversation import Step

RULE = "contradicted_expectation"
_SHORTEST_TELLING = 3
_LONGEST_VALUE = 40
_MOST_WORDS = 4
_MOST_OF_A_QUESTION = 0.8
_SHARED_REASONS = 2
_SHORTEST_PART = 5
_SMALL = 31
_RARE = 2
_IN_QUOTES = re.compile(r"[\"'\u2018\u201c\u201e][^\"'\u2019\u201d]{1,60}[\"'\u2019\u201d]")


def doubt(  # noqa: PLR0913  (what a finding has)
    step: Step,
    what: str,
    label: str,
    *,
    about: tuple[str, ...],
    quotes: tuple[Quoted, ...],
    holds: Callable[[TraceFacts], bool],
    points: float = 0.9,
    tool: str = "",
) -> Found:
    """Return a finding that doubts the expectation."""
    return Found(
        rule=RULE,
        step=step,
        what=f"Check the expectation: {what}",
        failure_type=FailureType.CONTEXT_ISSUE,
        points=points,
        quotes=quotes,
        holds=holds,
        explains=(label,) if label else (),
        texts=about,
        tool=tool,
    )


# Words that an answer should have: what a source says instead


def of_missing_words(facts: TraceFacts, missing: str, label: str) -> Iterator[Found]:
    """Yield the source that has another value than the expectation demands, which an answer gives rightly."""
    if facts.parties.is_team or _is_spoken_for(facts, missing):
        return
    for source, name, value in (*_recorded(facts, missing), *_written(facts, missing), *_told(facts, missing)):
        teller = next(
            (step for step in facts.answers if step.number > source.number and _tells(facts, step, value)), None
        )
        if teller is not None and not _tells(facts, teller, missing):
            call = facts.call_answered_by.get(source.number)
            origin = f"{shown_call(call)} returned" if call else f"{source.speaker} says"
            yield doubt(
                teller,
                f"it demands “{texts.shown(missing, 60)}”, but {origin} {name}{texts.shown(value, 60)} (step "
                f"{source.run_number}), and the agent says the same in step {teller.run_number}.",
                label,
                about=(missing, value),
                quotes=(quoted(facts, source, value), quoted(facts, teller, value)),
                holds=lambda case, source=source, value=value: (  # type: ignore[misc]
                    not _is_spoken_for(case, missing)
                    and not _tells(case, source, missing)
                    and _tells(case, source, value)
                ),
            )
            return


def _is_spoken_for(facts: TraceFacts, missing: str) -> bool:
    """Tell whether a person, a prompt or a source about the same has what is demanded."""
    if folded(missing) in folded(facts.given):
        return True
    named = _named_entities(facts)
    about = {record.step.number for record in facts.records.all if record.is_whole and _is_about(facts, record, named)}
    # A list of all that there is says nothing about what was asked.
    lists = {number for number, value in facts.parsed.items() if isinstance(value, list) and number not in about}
    heard = (step for step in facts.steps if not facts.is_agent(step) and step.number not in lists)
    return any(_tells(facts, step, missing) for step in heard)


def _tells(facts: TraceFacts, step: Step, text: str) -> bool:
    """Tell whether a step has words, or the one value that they are."""
    wanted = {key for value in values.find(text, facts.cues) for key in value.keys}
    held = {key for value in facts.values[step.number - 1] for key in value.keys}
    return folded(text) in folded(step.text) or bool(wanted & held)


def _named_entities(facts: TraceFacts) -> frozenset[str]:
    """Return the ids that the expectation or a person names, and those in the records of what they name."""
    spoken = [value.key for step in facts.people_steps for value in facts.values[step.number - 1]]
    named = {*spoken, *(value.key for value in facts.expected_values if value.kind == values.ID)}
    said_by_people = folded("\n".join(step.text for step in facts.people_steps))
    for call in facts.calls:
        written = {values.identifier_key(text) for text in call.leaves() if _is_told_id(text, said_by_people)}
        if call.result is not None and (written or named & set(map(values.identifier_key, call.leaves()))):
            held = facts.values[call.result.number - 1]
            named |= written | {value.key for value in held if value.kind == values.ID}
    return frozenset(named)


def _is_told_id(text: str, spoken: str) -> bool:
    return len(text) >= _SHORTEST_PART and any(c.isdigit() for c in text) and folded(text) in spoken


def _is_about(facts: TraceFacts, record: Record, named: frozenset[str]) -> bool:
    call = facts.call_answered_by.get(record.step.number)
    asked = {values.identifier_key(text) for text in call.leaves()} if call else set()
    name = record.value.get("name") or record.value.get("title")
    is_named = isinstance(name, str) and len(name) >= _SHORTEST_TELLING and folded(name) in folded(facts.case.expect)
    return is_named or bool((record.ids | asked) & named) or len(facts.parsed) == 1


def _recorded(facts: TraceFacts, missing: str) -> Iterator[tuple[Step, str, str]]:
    """Yield fields of the latest record about what was asked that say something else: its step, name and value."""
    named = _named_entities(facts)
    spoken = texts.content(facts.case.expect, facts.cues) | texts.content(missing, facts.cues)
    for record in reversed(facts.records.all):
        if not _is_about(facts, record, named):
            continue
        request = facts.request(record.step)
        asked = facts.stems(request) if request is not None else frozenset()
        fields = [
            (name, values.as_text(value))
            for path, value in record.fields.items()
            if not is_id_key(name := path.rpartition(".")[2]) and _is_other(facts, value, missing)
        ]
        for wanted, is_expected in ((spoken, True), (asked, False)):
            found = [each for each in fields if _is_field_of(facts, each[0], missing, wanted, is_expected=is_expected)]
            yield from ((record.step, f"{name}: ", value) for name, value in found)
        # A lone date or time is the one that is meant, whatever its field is called.
        if len(fields) == 1 and _kinds(facts, missing) & {values.DATE, values.TIME}:
            yield record.step, f"{fields[0][0]}: ", fields[0][1]


def _is_field_of(facts: TraceFacts, name: str, missing: str, wanted: frozenset[str], *, is_expected: bool) -> bool:
    """Tell whether a field's name has a word of what is wanted, or its unit; German words end in the plain one.

    What a small figure counts, or words say, the expectation itself has to name.
    """
    words = texts.content(" ".join(calls.words_of_name(name)), facts.cues)
    units = {word.lower() for word in texts.words(missing) if not word.isdecimal()}
    compounds = (word for word in words if len(word) >= _SHORTEST_PART)
    is_unit = bool(units & set(calls.words_of_name(name)) or words & texts.content(missing, facts.cues))
    if not is_expected and all(map(_is_small, values.find(missing, facts.cues))):
        return is_unit
    is_part = any(other.endswith(word) for word in compounds for other in wanted)
    return bool(words & wanted) or is_part or is_unit


def _is_other(facts: TraceFacts, value: object, missing: str) -> bool:
    """Tell whether a field has another value of the sort that is demanded."""
    if isinstance(value, bool) or value is None:
        return False
    text = values.as_text(value)
    wanted, held = values.find(missing, facts.cues), values.find(text, facts.cues)
    if wanted or held:
        is_same_sort = {each.kind for each in wanted} == {each.kind for each in held}
        keys = {key for each in wanted for key in each.keys}
        return is_same_sort and len(text) <= _LONGEST_VALUE and not any(keys & set(each.keys) for each in held)
    is_word = 1 < len(text) <= _LONGEST_VALUE and len(missing.split()) <= _MOST_WORDS
    return is_word and folded(text) not in folded(missing) and folded(missing) not in folded(text)


def _kinds(facts: TraceFacts, text: str) -> set[str]:
    return {value.kind for value in values.find(text, facts.cues)}


def _written(facts: TraceFacts, missing: str) -> Iterator[tuple[Step, str, str]]:
    """Yield another value of the demanded sort in a text about the very question: its step and the value."""
    wanted, topic = values.find(missing, facts.cues), _topic(facts, missing)
    used = _used(facts)
    for step in facts.steps if len(wanted) == 1 and topic else ():
        request = facts.request(step)
        if not facts.is_source(step) or step.number in facts.parsed or request is None:
            continue
        asked, has = facts.stems(request) & used, facts.stems(step)
        if topic <= has and len(asked & has) >= _MOST_OF_A_QUESTION * len(asked):
            others = [value for value in facts.values[step.number - 1] if value.kind == wanted[0].kind]
            yield from ((step, "", value.text) for value in others if not set(value.keys) & set(wanted[0].keys))


def _used(facts: TraceFacts) -> frozenset[str]:
    return frozenset().union(*(facts.stems(step) for step in facts.steps if step.role != "system"))


def _topic(facts: TraceFacts, missing: str) -> frozenset[str]:
    """Return what the expectation speaks of; words that no one uses are about the agent: that it says something."""
    return (texts.content(facts.case.expect, facts.cues) - texts.content(missing, facts.cues)) & _used(facts)


def _told(facts: TraceFacts, missing: str) -> Iterator[tuple[Step, str, str]]:
    """Yield another value that a sentence of an answer gives for what the expectation speaks of, with its source."""
    wanted, topic = values.find(missing, facts.cues), _topic(facts, missing)
    if len(wanted) != 1 or not topic or _is_small(wanted[0]):
        return
    for step in facts.answers:
        for sentence in texts.sentences(step.text[:4_000], facts.cues):
            if not topic <= texts.content(sentence, facts.cues):
                continue
            for value in values.find(sentence, facts.cues):
                if value.kind == wanted[0].kind and not _is_small(value):
                    numbers = facts.holding(value, before=step.number)
                    sources = [facts.steps[n - 1] for n in numbers if n and facts.is_source(facts.steps[n - 1])]
                    yield from ((source, "", value.text) for source in sources[-1:])


def _is_small(value: Value) -> bool:
    return value.kind == values.FIGURE and value.number <= _SMALL


# Arguments that a call should have: what a person asked for instead


def of_argument(
    facts: TraceFacts, call: Call, path: str, wish: str, other: str, got: Step, labels: Sequence[str]
) -> str:
    """Return what speaks against a demanded argument where the agent did what a person asked for; ``""`` for nothing.

    A record that has the demanded value in the very field knows better than the person; where the agent itself spoke
    of it afterwards, by one of its ``labels``, the two may have agreed on it.
    """
    name = path.rpartition(".")[2]
    before = (record for record in facts.records.all if record.step.number < call.step.number)
    recorded = [folded(values.as_text(record.value.get(name))) for record in before if name in record.value]
    if folded(wish) in recorded and folded(other) not in recorded:
        return ""
    since = facts.steps[got.number : call.step.number - 1]
    served = any(each.name == call.name and got.number < each.step.number < call.step.number for each in facts.calls)
    if served or any(facts.is_agent(step) and folded(label) in folded(step.text) for step in since for label in labels):
        return ""
    return (
        f"it demands {path}: {texts.shown(wish, 60)}; the user asked for something else (step {got.run_number}: "
        f"{said(facts, got, other)}), and the agent calls {shown_call(call)}."
    )


# Calls that should have been made: what kept the agent from them


def of_missing_call(facts: TraceFacts, tool: str, label: str, demanded: Mapping[str, object]) -> Iterator[Found]:
    """Yield what speaks against a demanded call: the user withdrew it, a prompt forbids it, no one asked for it."""
    if facts.parties.is_team:
        return
    ways = (_withdrawn(facts, tool, label), _forbidden(facts, tool, label), _in_no_state(facts, tool, label, demanded))
    yield from [found for found in (*ways, _never_asked(facts, tool, label)) if found is not None][:1]


def _withdrawn(facts: TraceFacts, tool: str, label: str) -> Found | None:
    step = _withdrawal(facts, tool)
    if step is None:
        return None
    return doubt(
        step,
        f"it demands a call of {tool}; the user withdrew that in step {step.run_number}: {said(facts, step)}",
        label,
        about=(tool,),
        quotes=(quoted(facts, step, ""),),
        holds=lambda case: _withdrawal(case, tool) == step,
        tool=tool,
    )


def _withdrawal(facts: TraceFacts, tool: str) -> Step | None:
    """Return the last words of the user about what a tool does, where they take the request back."""
    for step in reversed(facts.people_steps[1:]):
        before = next((earlier for earlier in facts.before(step) if facts.is_agent(earlier)), None)
        takes_back = [s for s in texts.sentences(step.text, facts.cues) if _takes_back(facts, s)]
        others = [s for s in texts.sentences(step.text, facts.cues) if s not in takes_back]
        goes_on = any(
            facts.cues.find("agreed", s) or facts.speaks_of(tool, texts.content(s, facts.cues)) for s in others
        )
        if before is None or facts.cues.find("refused", before.text):
            continue
        if takes_back and not goes_on and _was_offered(facts, tool, before, step):
            return step if _is_accepted(facts, step) else None
        if goes_on:
            return None
    return None


def _is_accepted(facts: TraceFacts, step: Step) -> bool:
    """Tell whether the agent lets it be: it asks nothing about it, and makes no call."""
    later = facts.steps[step.number :]
    answer = next((each for each in later if facts.is_agent(each)), None)
    is_plain = bool(facts.cues.find("takes_back", step.text))
    if answer is None or answer.calls or any(mark in answer.text for mark in "?\uff1f"):
        return False
    claims = any(facts.cues.find("claimed", each.text) and facts.cues.find("done", each.text) for each in later[1:])
    return not claims and (is_plain or bool(facts.cues.find("negations", answer.text)))


def _takes_back(facts: TraceFacts, sentence: str) -> bool:
    if facts.cues.find("agreed", facts.cues.pattern("takes_back").sub("", sentence)):
        return False
    is_denied = facts.cues.find("negations", sentence) and not values.find(sentence, facts.cues)
    return bool(facts.cues.find("takes_back", sentence) or is_denied)


def _was_offered(facts: TraceFacts, tool: str, before: Step, step: Step) -> bool:
    """Tell whether the agent had just asked whether it should do it; a bare "no" may answer any question."""
    earlier = [each for each in facts.people_steps if each.number < step.number]
    is_plain = bool(facts.cues.find("takes_back", step.text))
    spoken = frozenset().union(facts.stems(before), *(facts.stems(each) for each in earlier if is_plain))
    asks = any(mark in before.text for mark in "?\uff1f") or facts.cues.find("wants_confirmation", before.text)
    reports = facts.cues.find("claimed", before.text) and facts.cues.find("done", before.text)
    is_untouched = is_plain and not any(call.changed for call in facts.calls)
    return bool(asks and not reports) and (is_untouched or facts.speaks_of(tool, spoken))


def _forbidden(facts: TraceFacts, tool: str, label: str) -> Found | None:
    found = _prohibition(facts, tool)
    if found is None:
        return None
    rule, step = found
    return doubt(
        step,
        f"it demands a call of {tool}; the prompt says: “{texts.shown(rule, 160)}” The agent declines for that reason "
        f"in step {step.run_number}: {said(facts, step)}",
        label,
        about=(tool,),
        quotes=(quoted(facts, step, ""),),
        holds=lambda case: _prohibition(case, tool) == (rule, step),
        tool=tool,
    )


def _prohibition(facts: TraceFacts, tool: str) -> tuple[str, Step] | None:
    """Return the sentence of a prompt that rules a call out, with the answer that declines for the same reason."""
    acting = texts.content(" ".join(calls.words_of_name(tool)), facts.cues)
    spread = Counter(word for rule in facts.prompt_rules for word in rule.stems)
    common = {word for word, count in spread.items() if count > _RARE}
    for place, rule in enumerate(facts.prompt_rules):
        is_named = folded(tool) in folded(rule.text)
        forbids = facts.cues.find("forbids", _IN_QUOTES.sub("", rule.text))
        if not forbids or not (is_named or texts.related(acting, rule.stems)):
            continue
        # A sentence that names the tool alone has its reason in the sentence before.
        around = facts.prompt_rules[max(0, place - 1) : place + 1] if is_named else (rule,)
        reasons = frozenset().union(*(each.stems for each in around)) - acting - common - {texts.stem(tool.lower())}
        bounds = [bound for each in around for bound in _bounds(facts, each.text)]
        for step in facts.answers:
            declines = facts.cues.find("negations", step.text) or facts.cues.find("refused", step.text)
            request = facts.request(step)
            about = texts.content(step.text, facts.cues) | (facts.stems(request) if request else frozenset())
            is_about = facts.speaks_of(tool, about) or texts.related(acting, about)
            if is_about and declines and not step.calls and _is_reason(facts, step, reasons, bounds, is_named=is_named):
                return rule.text, step
    return None


def _is_reason(
    facts: TraceFacts, step: Step, reasons: frozenset[str], bounds: list[tuple[Value, bool]], *, is_named: bool
) -> bool:
    """Tell whether an answer gives the reasons of a rule, and the case is one that the rule is about."""
    shared = reasons & facts.stems(step)
    known = [each for each in facts.steps[: step.number - 1] if facts.is_person(each) or facts.is_source(each)]
    confirmed = shared & frozenset().union(*(facts.stems(each) for each in known))
    is_most = 2 * len(shared) >= len(reasons) > 0
    is_given = bool(is_named and shared) or (confirmed and (is_most or len(shared) >= _SHARED_REASONS))
    is_given = is_given or (is_most and len(shared) >= _SHARED_REASONS)
    return bool(is_given) and _is_beyond(facts, step, bounds, known) and not _is_denied(facts, reasons)


def _bounds(facts: TraceFacts, rule: str) -> Iterator[tuple[Value, bool]]:
    """Yield the figures of a rule, each with whether it is about what is below it."""
    is_below = bool(facts.cues.find("below", rule))
    yield from ((value, is_below) for value in values.find(rule, facts.cues) if value.kind == values.FIGURE)


def _is_beyond(facts: TraceFacts, step: Step, bounds: list[tuple[Value, bool]], known: list[Step]) -> bool:
    """Tell whether a rule with a figure is about this case: the answer names it, and a known one is beyond it."""
    told = {key for value in facts.values[step.number - 1] for key in value.keys}
    numbers = [value.number for each in known for value in facts.values[each.number - 1] if value.kind == values.FIGURE]
    return all(
        set(bound.keys) & told and any(number < bound.number if below else number > bound.number for number in numbers)
        for bound, below in bounds
    )


def _is_denied(facts: TraceFacts, reasons: frozenset[str]) -> bool:
    """Tell whether a record says that what a rule is about is not so."""
    fields = (field for record in facts.records.all for field in record.value.items())
    return any(
        value is False and texts.content(" ".join(calls.words_of_name(str(name))), facts.cues) & reasons
        for name, value in fields
    )


_STATE = re.compile(r"[\"'\u2018\u201c\u201e](?P<state>[^\W\d_][\w -]{1,30})[\"'\u2019\u201d\u201c]")


def _in_no_state(facts: TraceFacts, tool: str, label: str, demanded: Mapping[str, object]) -> Found | None:
    """Return the record of what the call is for, where a prompt wants another state of it for such a call."""
    acting = texts.content(" ".join(calls.words_of_name(tool)), facts.cues)
    known = [
        record
        for each in values.leaves(demanded)
        for record in facts.records.about(values.as_text(each), before=len(facts.steps) + 1)
        if record.is_whole
    ]
    for rule in facts.prompt_rules if known else ():
        wanted = {folded(found["state"]) for found in _STATE.finditer(rule.text)}
        limits = facts.cues.find("forbids", rule.text) and facts.cues.find("conditional", rule.text)
        if len(wanted) == 1 and limits and acting & rule.stems and facts.speaks_of(tool, rule.stems):
            for name, value in known[-1].value.items():
                states = {folded(str(record.value.get(name))) for record in known}
                if texts.stem(str(name).lower()) in rule.stems and isinstance(value, str) and not states & wanted:
                    return _state_doubt(facts, tool, label, rule.text, known[-1], value)
    return None


def _state_doubt(facts: TraceFacts, tool: str, label: str, rule: str, record: Record, value: str) -> Found:
    return doubt(
        record.step,
        f"it demands a call of {tool}; the prompt says: “{texts.shown(rule, 140)}” The record says {value} in step "
        f"{record.step.run_number}.",
        label,
        about=(tool, value),
        quotes=(quoted(facts, record.step, value),),
        holds=lambda case: rule in case.given and value in record.step.text,
        tool=tool,
    )


def _never_asked(facts: TraceFacts, tool: str, label: str) -> Found | None:
    """Return the change that the user did ask for, where no one ever speaks of what the missing call does."""
    if not _is_unspoken(facts, tool):
        return None
    for call in facts.calls:
        if call.changed and call.name != tool and facts.request(call.step) is not None:
            return doubt(
                call.step,
                f"it demands a call of {tool}, which no message asks for; the user asked for, and got, "
                f"{shown_call(call)} (step {call.step.run_number}).",
                label,
                about=(tool,),
                quotes=(quoted(facts, call.step, call.name),),
                holds=partial(_is_unspoken, tool=tool),
                points=0.7,
                tool=call.name,
            )
    return None


def _is_unspoken(facts: TraceFacts, tool: str) -> bool:
    """Tell whether no one speaks of what a tool does, and no prompt demands it."""
    spoken = [step for step in facts.steps if facts.is_person(step) or facts.is_agent(step)]
    if not facts.has_cues or any(facts.speaks_of(tool, _spoken_stems(facts, step)) for step in spoken):
        return False
    demanding = (rule for rule in facts.prompt_rules if facts.cues.find("modals", rule.text))
    return not any(facts.speaks_of(tool, rule.stems) for rule in demanding)


def _spoken_stems(facts: TraceFacts, step: Step) -> frozenset[str]:
    return texts.content(facts.fresh[step.number - 1][:4_000], facts.cues)
