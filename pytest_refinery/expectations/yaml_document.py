"""A YAML text as plain values, with the place of every key and every value; and plain values as YAML.

Plain data only: no tag makes an object. Words mean what they mean to the editors that check
the file against its schema (YAML 1.2): ``yes``, ``no``, dates, times of day and numbers with
leading zeros are texts.
"""

from __future__ import annotations

import math
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import yaml

from pytest_refinery.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from yaml.nodes import Node

Location: TypeAlias = tuple[str | int, ...]
"""The keys and indices that lead to a value."""

MAX_DEPTH = 60
MAX_VALUES = 100_000
_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
_SCALARS: dict[str, Callable[[str], object]] = {
    "str": str,
    "null": lambda _: None,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": int,
    "float": float,
}
_RESOLVED = (
    ("merge", r"<<", "<"),
    ("null", r"~|null|Null|NULL|", ("~", "n", "N", "")),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"-?(0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]+)?|-?(0|[1-9][0-9]*)[eE][-+]?[0-9]+", "-.0123456789"),
)
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_HINTS = {
    "mapping values are not allowed here": "Put a text that contains ': ' in quotes.",
    "found character '\\t' that cannot start any token": "Indent with spaces, never with tabs.",
    "found character '%' that cannot start any token": "Put a text that begins with % in quotes.",
    "found character '@' that cannot start any token": "Put a text that begins with @ in quotes.",
    "found character '`' that cannot start any token": "Put a text that begins with ` in quotes.",
    "but found another document": "A file holds one document: remove the line '---'.",
    "while scanning a simple key": "Every line of a mapping is 'key: value'.",
    "found unexpected end of stream": "A quote or bracket is not closed.",
    "found undefined alias": "Define it with & before it is used with *, or put a text that begins with * in quotes.",
}


class NotYaml(Exception):  # noqa: N818  (what the text is)
    """The text cannot be read at all."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(line, column, message)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the text, 1-based."""

    line: int
    column: int


@dataclass(frozen=True)
class Document:
    """What a YAML text says, and where.

    Attributes:
        value: Plain values.
        places: Where each value begins.
        keys: Where the key of each value in a mapping begins.
        written: How each value that is neither a mapping nor a list is written.
        problems: What is wrong in it; ``value`` is without the parts concerned.
    """

    value: object
    places: dict[Location, Place]
    keys: dict[Location, Place]
    written: dict[Location, str]
    problems: tuple[Problem, ...]

    def place(self, location: Location) -> Place:
        """Return where the value at ``location`` begins, or the nearest value around it."""
        while location not in self.places:
            location = location[:-1]
        return self.places[location]

    def key_place(self, location: Location) -> Place:
        """Return where the key of the value at ``location`` begins, or else the value."""
        return self.keys.get(location) or self.place(location)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  (as in the base)
    depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """Compose a node; too deep ones end here, not in a RecursionError somewhere."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise NotYaml(mark.line + 1, mark.column + 1, _too_deep())
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """Quotes what ``_Loader`` would not read as the text that it is, and knows no aliases."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  (as in the base)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  (as in the base)
        return True

    def represent_text(self, text: str) -> Node:
        """Represent a text; with escapes where what stands in it would be folded or refused."""
        return self.represent_scalar(_TAG + "str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _Dumper.represent_text)

for _name, _pattern, _first in _RESOLVED:
    for _user in (_Loader, _Dumper):
        _user.add_implicit_resolver(_TAG + _name, re.compile(rf"^(?:{_pattern})$"), list(_first))


def flow(value: object) -> str:
    """Return a plain value on one line, as it can stand behind a key."""
    # A list's brackets keep a scalar from being a document of its own, with an end marker.
    return _dumped([value], width=math.inf, is_flow=True)[1:-2]


def block(mapping: Mapping[str, object], *, width: int) -> list[str]:
    """Return a mapping as lines of at most about ``width`` columns, long texts wrapped."""
    return _dumped(mapping, width=width, is_flow=False).splitlines()


def _dumped(value: object, *, width: float, is_flow: bool) -> str:
    return yaml.dump(
        value, Dumper=_Dumper, width=width, default_flow_style=is_flow, allow_unicode=True, sort_keys=False
    )


def read(text: str) -> Document | None:
    """Return what ``text`` says, or ``None`` where it says nothing.

    Raises:
        NotYaml: The text is not YAML, or too large to be an expectation file.
    """
    node = _compose(text)
    if node is None:
        return None
    builder = _Builder()
    value = builder.value(node, ())
    return Document(value, builder.places, builder.keys, builder.written, tuple(builder.problems))


def _compose(text: str) -> Node | None:
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        line, column = position(text, error.position)
        raise NotYaml(line, column, f"The character U+{ord(text[error.position]):04X} cannot stand in YAML.") from error
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error) from error
    except (ValueError, OverflowError) as error:
        # An escape or a version number beyond what Python can hold.
        raise NotYaml(loader.line + 1, loader.column + 1, f"This is not valid YAML: {error}.") from error
    finally:
        loader.dispose()


def position(text: str, index: int) -> tuple[int, int]:
    """Return the 1-based line and column of the character at ``index``."""
    lines = _LINE_BREAK.split(text[:index])
    return len(lines), len(lines[-1]) + 1


def _unreadable(error: yaml.MarkedYAMLError) -> NotYaml:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    context, said = str(error.context), str(error.problem)
    if said.startswith("but "):
        said = f"{context}, {said}"
    hint = next((f" {hint}" for words, hint in _HINTS.items() if words in f"{context} {said}"), "")
    return NotYaml(line, column, f"This is not valid YAML: {said}.{hint}")


def _too_deep() -> str:
    return f"The values are nested more than {MAX_DEPTH} deep."


@dataclass
class _Builder:
    places: dict[Location, Place] = field(default_factory=dict)
    keys: dict[Location, Place] = field(default_factory=dict)
    written: dict[Location, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    open: set[int] = field(default_factory=set)
    values: int = 0

    def value(self, node: Node, location: Location) -> object:
        """Return the plain value of ``node`` and take down its place."""
        with self._entered(node, location):
            self.places[location] = _place(node)
            if node.tag.removeprefix(_TAG) not in {*_SCALARS, "map", "seq", "merge"}:
                self._report(node, f"The tag '{node.tag}' is not supported; an expectation file holds plain values.")
                return ""
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, location)
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*location, index)) for index, item in enumerate(node.value)]
            self.written[location] = node.value
            return self._scalar(node)

    @contextmanager
    def _entered(self, node: Node, location: Location) -> Iterator[None]:
        """Guard against aliases that contain themselves, or multiply beyond all bounds."""
        self.values += 1
        place = _place(node)
        if id(node) in self.open:
            raise NotYaml(place.line, place.column, "This value contains itself through an alias.")
        if len(location) > MAX_DEPTH:
            raise NotYaml(place.line, place.column, _too_deep())
        if self.values > MAX_VALUES:
            raise NotYaml(place.line, place.column, f"The file has more than {MAX_VALUES:,} values, aliases expanded.")
        self.open.add(id(node))
        yield
        self.open.remove(id(node))

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, object]:
        own = [(key, value) for key, value in node.value if key.tag != _MERGE]
        merged = [item for key, value in node.value if key.tag == _MERGE for item in self._merged(value)]
        result: dict[str, object] = {}
        # The earlier of two merged mappings wins, and the mapping's own keys win over both.
        for source in reversed(merged):
            result.update(self._inherited(source, location))
        seen: dict[str, Place] = {}
        for key_node, value_node in own:
            key = self._key(key_node, seen)
            if key is not None:
                self.keys[*location, key] = _place(key_node)
                result[key] = self.value(value_node, (*location, key))
        return result

    def _merged(self, node: Node) -> list[yaml.MappingNode]:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found = [source for source in sources if isinstance(source, yaml.MappingNode)]
        if len(found) < len(sources):
            self._report(node, "'<<' takes a mapping, or a list of mappings.")
        return found

    def _inherited(self, source: yaml.MappingNode, location: Location) -> dict[str, object]:
        with self._entered(source, location):
            return self._mapping(source, location)

    def _key(self, node: Node, seen: dict[str, Place]) -> str | None:
        """Return the key, or ``None`` with a problem where it cannot be one."""
        if node.tag != _TAG + "str" or not isinstance(node, yaml.ScalarNode):
            shown = f'; write it in quotes: "{node.value}"' if isinstance(node, yaml.ScalarNode) else ""
            self._report(node, f"A key must be a text{shown}.")
        elif node.value in seen:
            self._report(node, f"The key '{node.value}' is already in line {seen[node.value].line}.")
        else:
            seen[node.value] = _place(node)
            return str(self._scalar(node))
        return None

    def _scalar(self, node: Node) -> object:
        try:
            # JSON escapes a character beyond U+FFFF as two surrogates; one alone is no text.
            text = node.value.encode("utf-16", "surrogatepass").decode("utf-16")
            return _SCALARS.get(node.tag.removeprefix(_TAG), str)(text)
        except (ValueError, KeyError):
            self._report(node, f"{node.value[:40]!a} cannot be read as {node.tag.removeprefix(_TAG)}.")
            return ""

    def _report(self, node: Node, message: str) -> None:
        place = _place(node)
        self.problems.append(Problem(place.line, place.column, message))


def _place(node: Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)
