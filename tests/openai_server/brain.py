"""Who answers: a reader that knows what the request carried and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tests.openai_server.strict_schemas import is_nullable, resolved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.openai_server.messages import JsonObject

_RUN_LINE = re.compile(r"#(\d+) (?:(\S+) (\S+)|\(part)")
_HEAD = re.compile(r"(?m)^#(\d+) ")
_ITEM_LINE = re.compile(r"m\d+ ([^:]+):(.*)")
_SETUP_LINE = re.compile(r"[ct]\d+ ")
_DIGEST_LINE = re.compile(r" |$|#\d|[mct]\d|call |thinking:")
_NAMED_RUN = re.compile(r'\brun(?:[_ ](?:number|id))?"?[:= ]*"?#?(\d+)', re.IGNORECASE)
_QUOTED = re.compile(r'"quote":\s*("(?:[^"\\]|\\.)*")')
_LEAST_OVERLAP = 20
_LONGEST_QUOTE = 200


@dataclass(frozen=True)
class Passage:
    """What the file search put before the model."""

    file_id: str
    filename: str
    text: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """All that a request carried.

    Attributes:
        inputs: The texts of the input, in order.
        passages: What was retrieved, the most relevant first.
        schema: What the answer has to fit, ``None`` where any text will do.
    """

    model: str
    instructions: str
    inputs: tuple[str, ...]
    passages: tuple[Passage, ...]
    schema_name: str | None
    schema: JsonObject | None

    @property
    def text(self) -> str:
        """Everything, as one text."""
        return "\n".join([self.instructions, *self.inputs, *(passage.text for passage in self.passages)])


@dataclass(frozen=True)
class FunctionCall:
    """An answer that calls a function of the client's."""

    name: str
    arguments: Mapping[str, Any]


Brain = Callable[[View], Mapping[str, Any] | str | FunctionCall]


@dataclass(frozen=True)
class Run:
    """A run whose line stood in what was carried."""

    number: int
    kind: str
    name: str


@dataclass(frozen=True)
class Sighting:
    """A place where a marker stands, in a run that is known."""

    run: Run
    quote: str


@dataclass(frozen=True)
class RunReader:
    """Looks for markers in the runs of a digest and in findings that name their run.

    The first run with a marker is the decisive one. A marker in a text that cannot be assigned to
    a run, because its run's line was not carried, is not seen.

    Attributes:
        markers: Regular expressions.
    """

    markers: tuple[str, ...] = (r"(?i)\berror\b", r"\bTraceback\b")

    def __call__(self, view: View) -> Mapping[str, Any] | str:
        """Return the answer, as far as the names in the schema say what is wanted."""
        if view.schema is not None and "causes" in view.schema.get("properties", {}):
            return summed_up(view)
        reading = self.read(view)
        if view.schema is None:
            return reading.sentence(reading.decisive)
        return reading.filled(view.schema)

    def read(self, view: View) -> Reading:
        """Return what was seen."""
        told = [line for text in view.inputs for line in _lines(text, are_runs_named=True)]
        found = [line for text in _stitched(view.passages) for line in _lines(text, are_runs_named=False)]
        lines = told + found
        marker = re.compile("|".join(f"(?:{_flagged(marker)})" for marker in self.markers))
        sightings = [Sighting(line.run, line.quote) for line in lines if line.run and marker.search(line.text)]
        runs = {line.run.number: line.run for line in lines if line.run is not None and line.is_head}
        return Reading(tuple(sorted(runs.values(), key=lambda run: run.number)), tuple(dict.fromkeys(sightings)))


def summed_up(view: View) -> Mapping[str, Any]:
    """Return what groups of failures have in common: those of one type are said to have one cause."""
    groups = [json.loads(line) for text in view.inputs for line in text.splitlines() if line.startswith('{"group":')]
    types = dict.fromkeys(group["failure_type"] for group in groups)
    causes = [
        {
            "groups": [group["group"] for group in groups if group["failure_type"] == kind],
            "cause": f"Customers suffer from a {kind.replace('_', ' ')}.",
            "advice": "Change what the agent is told.",
        }
        for kind in types
    ]
    return {"causes": causes, "executive_summary": f"{len(causes)} causes lie behind all of it."}


@dataclass(frozen=True)
class Reading:
    """What stood in the carried text.

    Attributes:
        runs: The runs whose lines were there, by number.
        sightings: The markers, in the order of the text.
    """

    runs: tuple[Run, ...]
    sightings: tuple[Sighting, ...]

    @cached_property
    def decisive(self) -> Sighting | None:
        """The earliest run with a marker."""
        return min(self.sightings, key=lambda seen: seen.run.number, default=None)

    @staticmethod
    def sentence(seen: Sighting | None) -> str:
        """Return what a person would say of it."""
        return "Nothing stands out." if seen is None else f"Run #{seen.run.number} ({seen.run.name}) went wrong."

    def filled(self, schema: JsonObject) -> dict[str, Any]:
        """Return an answer to ``schema``, its fields filled by their names."""
        return self._object(schema, self.decisive, schema)

    def _object(self, schema: JsonObject, seen: Sighting | None, root: JsonObject) -> dict[str, Any]:
        properties = resolved(schema, root).get("properties", {})
        return {name: self._value(name, part, seen, root) for name, part in properties.items()}

    def _value(self, name: str, schema: JsonObject, seen: Sighting | None, root: JsonObject) -> Any:  # noqa: ANN401
        plain = resolved(schema, root)
        kind = plain.get("type")
        if kind == "array":
            return self._array(name, resolved(plain["items"], root), seen, root)
        if seen is None and is_nullable(schema, root):
            return None
        if kind == "object":
            return self._object(plain, seen, root)
        return self._plain(name, plain, seen)

    def _array(self, name: str, item: JsonObject, seen: Sighting | None, root: JsonObject) -> list[Any]:
        if item.get("type") == "object":
            # Below one sighting, only what belongs to it.
            shown = self.sightings if name in _LISTS else filter(None, [seen])
            return [self._object(item, one, root) for one in shown]
        if name.startswith("timeline"):
            return [f"#{run.number} {run.kind} {run.name}" for run in self.runs]
        if "run" in name:
            return [_typed(run.number, item) for run in self.runs]
        return [one.quote if "quote" in name else self.sentence(one) for one in self.sightings]

    def _plain(self, name: str, schema: JsonObject, seen: Sighting | None) -> Any:  # noqa: ANN401
        if "enum" in schema:
            return _chosen(schema["enum"], seen)
        kind = schema.get("type")
        if kind == "boolean":
            return not self.sightings if name in _GOOD_NEWS else bool(self.sightings)
        if kind == "number" or (kind == "integer" and "run" not in name):
            return schema.get("maximum", 1) if seen else schema.get("minimum", 0)
        if "run" in name:
            return _typed(seen.run.number if seen else 0, schema)
        if "quote" in name:
            return seen.quote if seen else ""
        return self.sentence(seen)


_LISTS = frozenset({"findings", "errors", "candidates", "candidate_errors", "gaps"})
_GOOD_NEWS = frozenset({"passed", "met", "holds", "satisfied", "fulfilled"})
_CHOICES = ("model_limitation", "prompt_issue", "high", "critical", "major", "failed", "not_met", "fail")
_GOOD_CHOICES = ("passed", "met", "pass", "none", "low", "minor")


def _chosen(options: Sequence[Any], seen: Sighting | None) -> Any:  # noqa: ANN401  (any JSON)
    return next((choice for choice in _wanted(seen) if choice in options), options[0])


def _wanted(seen: Sighting | None) -> Sequence[str]:
    if seen is None:
        return _GOOD_CHOICES
    return ("tool_issue", *_CHOICES) if seen.run.kind == "tool" else _CHOICES


def _typed(number: int, schema: JsonObject) -> int | str:
    return number if schema.get("type") == "integer" else str(number)


def _flagged(marker: str) -> str:
    return f"(?i:{marker[4:]})" if marker.startswith("(?i)") else marker


@dataclass(frozen=True)
class _Line:
    """A line of text, and the run that it belongs to where that is known."""

    text: str
    run: Run | None
    quote: str = ""
    is_head: bool = False


def _lines(text: str, *, are_runs_named: bool) -> Iterator[_Line]:
    """Yield the lines of a text; outside a digest, words like "run 7" may say which run is meant."""
    run: Run | None = None
    is_digest = is_told = False
    for line in text.splitlines():
        if line.startswith("END DATA "):
            run, is_digest, is_told = None, False, False
        head = _RUN_LINE.match(line)
        if head is not None:
            run = _run(head, run)
            is_digest, is_told = True, False
            yield _Line("", run, is_head=True)
            continue
        item = _ITEM_LINE.match(line)
        is_digest = is_digest and _DIGEST_LINE.match(line) is not None
        if item is not None:
            is_told = item[1].startswith("system")
        if are_runs_named and not is_digest:
            run = _named_run(line) or run
        if not is_told and _SETUP_LINE.match(line) is None:
            said = item[2] if item is not None else line
            yield _Line(line, run, _quote(said))


def _run(head: re.Match[str], before: Run | None) -> Run:
    number = int(head[1])
    if head[2] is not None:
        return Run(number, head[2], head[3])
    return before if before is not None and before.number == number else Run(number, "", "")


def _named_run(line: str) -> Run | None:
    named = _NAMED_RUN.search(line)
    return None if named is None else Run(int(named[1]), "", "")


def _quote(said: str) -> str:
    marked = _QUOTED.search(said)
    return str(json.loads(marked[1])) if marked is not None else said.strip()[:_LONGEST_QUOTE]


def _stitched(passages: Iterable[Passage]) -> Iterator[str]:
    """Yield the passages of each file in the order of the runs in them, as one text.

    A passage without a run's line goes where it overlaps another, else it stays alone.
    """
    texts: dict[str, list[str]] = {}
    for passage in passages:
        texts.setdefault(passage.filename, []).append(passage.text)
    for parts in texts.values():
        ordered = sorted(filter(_HEAD.search, parts), key=_first_run)
        yield from _placed([part for part in parts if part not in ordered], ordered)
        yield _joined(ordered)


def _first_run(text: str) -> float:
    found = _HEAD.search(text)
    if found is None:
        return 0
    # A text that starts within a run comes before the one that starts with the next run's line.
    return int(found[1]) - (0.5 if found.start() > 0 else 0)


def _placed(parts: Sequence[str], ordered: list[str]) -> Sequence[str]:
    """Put what overlaps one of ``ordered`` behind it, and return the rest."""
    rest = list(parts)
    for part in parts:
        place = next((index for index, before in enumerate(ordered) if _overlap(before, part)), None)
        if place is not None:
            ordered.insert(place + 1, part)
            rest.remove(part)
    return _placed(rest, ordered) if len(rest) < len(parts) else rest


def _joined(parts: Sequence[str]) -> str:
    whole = ""
    for part in parts:
        whole += part[_overlap(whole, part) :]
    return whole


def _overlap(before: str, after: str) -> int:
    """Return how many characters at the end of one text are those at the start of the other."""
    start = after[:_LEAST_OVERLAP]
    if len(start) < _LEAST_OVERLAP:
        return 0
    places = (found.start() for found in re.finditer(f"(?={re.escape(start)})", before))
    return next((len(before) - place for place in places if after.startswith(before[place:])), 0)
