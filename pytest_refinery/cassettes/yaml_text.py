"""JSON values as YAML that people like to read, and back.

Texts of several lines are literal blocks, also those that PyYAML's own writer puts in quotes with all their line breaks
spelled out: one space at the end of a line, or one tab, is enough for that.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.traces.model import Json

# The reader written in C is ten times faster; some builds of PyYAML are without it.
_Fastest: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Fastest):  # type: ignore[misc]  # whichever there is
    # JSON has no dates: what looks like one is a text.
    yaml_implicit_resolvers = {  # noqa: RUF012  (as in the base)
        first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_PLAIN = re.compile(r"[A-Za-z_/$](?:[\w !\"$%&'()*+,./;<=>?@^|~-]|:(?=[\w/:]))*(?<! )")
_NOT_TEXTS = frozenset("null true false yes no on off y n".split())
# What JSON leaves as it is and YAML does not allow, or takes for the end of a line.
_UNPRINTABLE = re.compile("[\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_NOT_IN_BLOCKS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


class NotYaml(Exception):  # noqa: N818  (what the text is)
    """A text that is not YAML, or more than plain values; ``line`` is 1-based."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


def written(value: Json) -> str:
    """Return a JSON value as YAML."""
    return "".join(f"{line}\n" for line in _lines(value, ""))


def read(text: str) -> Any:  # noqa: ANN401  (whatever the text says)
    """Return the plain values that a YAML text says.

    Raises:
        NotYaml: It is none, or asks for more than plain values.
    """
    try:
        return _without_aliases(yaml.load(text, Loader=_Loader))  # noqa: S506  (the safe loader, whichever is there)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotYaml(mark.line + 1 if mark else 1, str(error.problem)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotYaml(1, str(error).partition("\n")[0]) from error


def _without_aliases(value: Any) -> Any:  # noqa: ANN401  (whatever the text says)
    # Nine lines of aliases can stand for a billion values.
    seen: set[int] = set()
    layer = [value]
    while layer := [item for item in layer if isinstance(item, dict | list)]:
        found = set(map(id, layer))
        if len(found) < len(layer) or not found.isdisjoint(seen):
            raise NotYaml(1, "a cassette has no aliases")
        seen |= found
        layer = [member for item in layer for member in (item.values() if isinstance(item, dict) else item)]
    return value


def line_of(text: str, *location: str | int) -> int:
    """Return the 1-based line in which the value at ``location`` begins, or the nearest one around it."""
    node = yaml.compose(text, Loader=_Loader)
    for step in location:
        found = _member(node, step)
        if found is None:
            break
        node = found
    return int(node.start_mark.line) + 1 if node else 1


def _member(node: Any, step: str | int) -> Any:  # noqa: ANN401  (nodes of a library without types)
    if isinstance(step, int) and isinstance(node, yaml.SequenceNode):
        return next(iter(node.value[step : step + 1]), None)
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    return None


def _lines(value: Json, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from _member_lines(f"{indent}{_text(name)}:", member, indent)
    elif isinstance(value, list) and value:
        for member in value:
            yield from _item_lines(member, indent)
    else:
        yield indent + _scalar(value, indent)


def _member_lines(head: str, value: Json, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        yield head
        yield from _lines(value, indent + "  ")
    elif isinstance(value, list) and value:
        yield head
        yield from _lines(value, indent)
    else:
        yield f"{head} {_scalar(value, indent)}"


def _item_lines(value: Json, indent: str) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        first, *others = _lines(value, indent + "  ")
        yield f"{indent}- {first.lstrip(' ')}"
        yield from others
    else:
        yield f"{indent}- {_scalar(value, indent)}"


def _scalar(value: Json, indent: str) -> str:
    if isinstance(value, str):
        return _block(value, indent + "  ") if "\n" in value and not _NOT_IN_BLOCKS.search(value) else _text(value)
    # YAML 1.1 takes a number for a text where it has an exponent and no point.
    return re.sub(r"^(-?\d+)e", r"\1.0e", json.dumps(value))


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXTS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _block(text: str, indent: str) -> str:
    body = text.rstrip("\n")
    # Where the first line cannot show how far the block is indented, the head says it.
    indentation = "2" if text[:1] in {" ", "\n", "\t"} else ""
    kept = "-" if body == text else "" if body and text == f"{body}\n" else "+"
    lines = (text if kept == "+" else body).removesuffix("\n").split("\n")
    return "\n".join([f"|{indentation}{kept}", *(f"{indent}{line}" if line else "" for line in lines)])
