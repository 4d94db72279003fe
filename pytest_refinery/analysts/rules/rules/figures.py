"""Values in answers that the trace does not support."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.analysts.rules import provenance
from pytest_refinery.analysts.rules.facts import texts, values
from pytest_refinery.analysts.rules.findings import Found, Quoted, quoted, said, shown_call

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.analysts.rules.facts.records import Record
    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.analysts.rules.facts.values import Value
    from pytest_refinery.traces.conversation import Step

_SMALL = 31
_COUNT = re.compile(r"(?<![\w.,$€£#-])(?P<count>\d{1,3})(?![\w.,%:-])(?P<what>[^.!?\n]{0,80})")
_LONGEST_STATUS = 40
_MOST_RECORDS = 200


def invented_values(facts: TraceFacts) -> Iterator[Found]:
    """Find the first time that the agent says a figure, a date or an id that no source has."""
    if facts.parties.is_team or not any(facts.is_source(step) for step in facts.steps):
        return
    for step in facts.answers:
        unknown = [value for value in _said(facts, step) if _is_invented(facts, value, step)]
        if unknown:
            yield _invented(facts, step, unknown)


def _said(facts: TraceFacts, step: Step) -> list[Value]:
    return values.find(facts.fresh[step.number - 1], facts.cues) if not step.calls else []


def _is_invented(facts: TraceFacts, value: Value, step: Step) -> bool:
    if value.kind in {values.ADDRESS, values.TIME} or (value.kind == values.FIGURE and value.number <= _SMALL):
        return False
    first = facts.holding(value)[:1] == (step.number,)
    if not first or not provenance.has_no_source(facts, value=value, step=step):
        return False
    return value.kind != values.FIGURE or not facts.is_derived(value, before=step.number)


def _invented(facts: TraceFacts, step: Step, unknown: list[Value]) -> Found:
    named = ", ".join(dict.fromkeys(value.text for value in unknown[:3]))
    return Found(
        rule="invented_value",
        step=step,
        what=f"The agent says {named} here ({said(facts, step, unknown[0].text)}); no message, tool result or prompt "
        "has it "
        f"before, and it follows from no figures that were there.",
        failure_type=FailureType.MODEL_LIMITATION,
        points=0.5,
        quotes=(quoted(facts, step, unknown[0].text),),
        holds=partial(_none_has, unknown=tuple(unknown), step=step),
        texts=tuple(value.text for value in unknown),
    )


def _none_has(facts: TraceFacts, *, unknown: tuple[Value, ...], step: Step) -> bool:
    return all(provenance.has_no_source(facts, value=value, step=step) for value in unknown[:3])


def miscounts(facts: TraceFacts) -> Iterator[Found]:
    """Find counts that differ from the number of entries that the last result marks that way."""
    for step in facts.answers:
        result = next((earlier for earlier in facts.turn(step) if earlier.number in facts.parsed), None)
        if result is None or step.calls:
            continue
        marked = _marked(facts.parsed[result.number])
        for found in _COUNT.finditer(step.text[:4_000]):
            word = _marked_word(facts, marked, found["what"])
            if word and marked[word] != int(found["count"]) and int(found["count"]) > 1:
                yield _miscounted(facts, step, result, found, word, marked[word])
                break


def _marked_word(facts: TraceFacts, marked: Counter[str], what: str) -> str:
    stems = texts.content(what, facts.cues)
    return next((word for word in marked if texts.stem(word.lower()) in stems), "")


def _miscounted(facts: TraceFacts, step: Step, result: Step, found: re.Match[str], word: str, count: int) -> Found:
    return Found(
        rule="miscounted",
        step=step,
        what=f"The agent counts {found['count']} ({said(facts, step, found.group())}), but {result.speaker} marked "
        f"{count} "
        f"entries as {word} (step {result.run_number}).",
        failure_type=FailureType.MODEL_LIMITATION,
        points=0.85,
        quotes=(Quoted(step, texts.quote(step.text, found.start(), facts.cues)),),
        holds=lambda case: _marked(case.parsed[result.number])[word] == count,
        texts=(found["count"], str(count), word),
    )


def _marked(result: object) -> Counter[str]:
    """Count the entries of a result that are marked true, by the word of the mark; 0 for a mark that never is."""
    counts: Counter[str] = Counter()
    stack = [result]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            counts.update({str(key): int(value) for key, value in item.items() if isinstance(value, bool)})
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return counts


def wrong_extremes(facts: TraceFacts) -> Iterator[Found]:
    """Find a "cheapest" or "most expensive" that is not, among the entries that can be had."""
    for step in facts.answers:
        for name, best in (("least", min), ("most", max)):
            found = facts.cues.find(name, step.text)
            prices = _prices(facts, step) if found else []
            sentence = texts.sentence_at(step.text, found.start(), facts.cues) if found else ""
            named = {value.number for value in values.find(sentence, facts.cues) if value.kind == values.FIGURE}
            told = named & set(prices)
            if found and told and best(prices) not in named:
                yield Found(
                    rule="wrong_extreme",
                    step=step,
                    what=f"The agent calls {min(told):g} the {found.group().lower()} "
                    f"({said(facts, step, found.group())}); the "
                    f"result lists {best(prices):g}.",
                    failure_type=FailureType.MODEL_LIMITATION,
                    points=0.8,
                    quotes=(quoted(facts, step, found.group()),),
                    texts=(f"{min(told):g}", f"{best(prices):g}"),
                    holds=partial(_is_no_extreme, step=step, best=best, told=frozenset(told)),
                )


def _is_no_extreme(
    facts: TraceFacts, *, step: Step, best: Callable[[list[float]], float], told: frozenset[float]
) -> bool:
    prices = _prices(facts, step)
    return told <= set(prices) and best(prices) not in told


def _prices(facts: TraceFacts, step: Step) -> list[float]:
    """Return the prices in the last result, without those of entries that are marked as not to be had."""
    result = next((earlier for earlier in facts.turn(step) if earlier.number in facts.parsed), None)
    found = []
    for record in facts.records.all if result is not None else ():
        price = record.value.get("price")
        lacks = any(value is False for value in record.value.values())
        if record.step is result and isinstance(price, int | float) and not lacks:
            found.append(float(price))
    return found


def wrong_records(facts: TraceFacts) -> Iterator[Found]:
    """Find an answer that says of a record what stands in another one, or no longer stands in it."""
    for step in facts.answers if not facts.parties.is_team else ():
        for sentence in texts.sentences(facts.fresh[step.number - 1][:4_000], facts.cues):
            found = _misattributed(facts, step, sentence)
            if found is not None:
                yield found
                break


def _misattributed(facts: TraceFacts, step: Step, sentence: str) -> Found | None:
    spoken = values.find(sentence, facts.cues)
    entities = [value.key for value in spoken if value.kind == values.ID and value.key in facts.records.entities]
    if len(set(entities)) != 1:
        return None
    own = [record for record in facts.records.about(entities[0], before=step.number) if record.is_whole]
    if not own:
        return None
    for value in spoken:
        if value.kind == values.FIGURE and value.number > _SMALL:
            other = _only_in_another(facts, value, own, step)
            if other is not None:
                return _of_another(facts, step, sentence, value, own[0], other)
    return _outdated(facts, step, sentence, own)


def _only_in_another(facts: TraceFacts, value: Value, own: list[Record], step: Step) -> Record | None:
    """Return the record that has a figure which neither the record spoken of, nor a person or the prompt has."""
    mine = {key for record in own for found in record.fields.values() for key in _keys(found)}
    holders = facts.holding(value, before=step.number)
    if mine & set(value.keys) or any(n == 0 or facts.is_person(facts.steps[n - 1]) for n in holders):
        return None
    if facts.is_derived(value, before=step.number):
        return None
    known = (record for record in facts.records.all[:_MOST_RECORDS] if record.step.number < step.number)
    others = (record for record in known if record.is_whole and record.ids and not record.ids & own[0].ids)
    return next((record for record in others if _holds(record, value)), None)


def _holds(record: Record, value: Value) -> bool:
    return any(set(value.keys) & set(_keys(found)) for found in record.fields.values())


def _keys(found: object) -> list[tuple[str, str]]:
    if isinstance(found, bool) or found is None:
        return []
    return [(values.FIGURE, values.figure_keys(values.as_text(found))[0])] if isinstance(found, int | float) else []


def _of_another(facts: TraceFacts, step: Step, sentence: str, value: Value, own: Record, other: Record) -> Found:
    call = facts.call_answered_by.get(other.step.number)
    source = f"the result of {shown_call(call)}" if call else f"what {other.step.speaker} returned"
    return Found(
        rule="wrong_record",
        step=step,
        what=f"The agent says {value.text} of another record than it belongs to (“{texts.shown(sentence, 140)}”): it "
        "stands in "
        f"{source} (step {other.step.run_number}), not in the record of step {own.step.run_number}.",
        failure_type=FailureType.MODEL_LIMITATION,
        points=0.75,
        quotes=(Quoted(step, texts.quote(sentence, 0, facts.cues)), quoted(facts, other.step, value.text)),
        texts=(value.text,),
        holds=lambda _: _holds(other, value) and not _holds(own, value),
    )


def _outdated(facts: TraceFacts, step: Step, sentence: str, own: list[Record]) -> Found | None:
    """Find a short text of an earlier state of a record that its latest state has no longer."""
    # "Your pending order has been cancelled" tells of the change itself.
    if len(own) < 2 or facts.cues.find("done", sentence):  # noqa: PLR2004  (a state and an earlier one)
        return None
    for record in own[1:]:
        for path, value in record.fields.items():
            if _is_outdated(value, own[0].fields.get(path, value), f" {sentence.casefold()} "):
                now = own[0].fields[path]
                return Found(
                    rule="stale_record",
                    step=step,
                    what=f"The agent says “{value}” here (“{texts.shown(sentence, 140)}”); that was so in step "
                    f"{record.step.run_number}, since step {own[0].step.run_number} it is “{now}”.",
                    failure_type=FailureType.MODEL_LIMITATION,
                    points=0.75,
                    quotes=(Quoted(step, texts.quote(sentence, 0, facts.cues)), quoted(facts, own[0].step, str(now))),
                    texts=(str(value), str(now)),
                    holds=partial(_is_stale, step=step, path=path, value=str(value), now=now),
                )
    return None


def _is_stale(facts: TraceFacts, *, step: Step, path: str, value: str, now: object) -> bool:
    """Tell whether a step says what the latest record before it no longer has."""
    known = [record for record in facts.records.all if record.step.number < step.number and path in record.fields]
    return any(record.fields[path] == now for record in known) and value.casefold() in step.text.casefold()


def _is_outdated(value: object, now: object, spoken: str) -> bool:
    """Tell whether a sentence has a short text that a record no longer has, and not what it has now."""
    if not isinstance(value, str) or not isinstance(now, str) or not 2 < len(value) <= _LONGEST_STATUS:  # noqa: PLR2004
        return False
    return now != value and f" {value.casefold()} " in spoken and now.casefold() not in spoken
