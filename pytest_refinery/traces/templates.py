"""Prompt templates beside the texts that they were rendered to.

A template is a text with variables in the style of ``str.format`` and f-strings (``{name}``), of Jinja and Mustache
(``{{ name }}``, ``{% if ... %}``, ``{{#section}}``) or of ``string.Template`` (``${name}``). White space and doubled
braces do not count: they are what rendering changes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAG = re.compile(
    r"\{%.*?%\}|\{\#.*?\#\}"
    r"|\{\{\{?[\s#^/>!&~]*[^\W\d][^{}]*\}\}\}?"
    r"|\$?\{[^\W\d][\w.\[\]'\"]*(?:![rsa])?(?::[^{}\n]*)?\}",
    re.DOTALL,
)
_OPENS = re.compile(r"\{%-?\s*(?:if|for|with|macro|call|filter|block)\b|\{\{~?[#^]")
_CLOSES = re.compile(r"\{%-?\s*end|\{\{~?/")
_NAMED = re.compile(r"\$?\{\{?\{?\s*\w")
_SOMETHING = "{_}"
_BRACES = re.compile(r"\{+|\}+")
_FRONT_MATTER = re.compile(r"\A\ufeff?---\s*\n.*?\n---\s*\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Template:
    """The parts of a template that every rendering of it has, in their order; folded, without the variables."""

    literals: tuple[str, ...]

    @property
    def text(self) -> str:
        """The literals as one text."""
        return " ".join(self.literals)

    def renders_to(self, text: str) -> bool:
        """Tell whether ``text`` may be a rendering of the template, or hold one."""
        return self.is_in(fold(text))

    def is_in(self, folded: str) -> bool:
        """Tell the same of a text that is folded already."""
        at = 0
        for literal in self.literals:
            found = folded.find(literal, at)
            if found < 0:
                return False
            at = found + len(literal)
        return bool(self.literals)


@lru_cache(maxsize=1_024)
def parse(text: str) -> Template:
    """Return the template that ``text`` is."""
    return Template(tuple(filter(None, map(fold, _TAG.split(required(text))))))


def fold(text: str) -> str:
    """Return ``text`` on one line, runs of white space and of braces as one."""
    return " ".join(_BRACES.sub(lambda braces: braces[0][0], text).split())


def has_variables(text: str) -> bool:
    """Tell whether a variable stands in ``text``."""
    return _TAG.search(text) is not None


def required(text: str) -> str:
    """Return a template without its front matter, and a variable for each condition, loop and comment in it."""
    return "".join(_required(_FRONT_MATTER.sub("", text)))


def _required(text: str) -> Iterator[str]:
    at = depth = 0
    for tag in _TAG.finditer(text):
        if depth == 0:
            yield text[at : tag.start()]
            yield tag[0] if _NAMED.match(tag[0]) else _SOMETHING
        at = tag.end()
        depth = max(0, depth + bool(_OPENS.match(tag[0])) - bool(_CLOSES.match(tag[0])))
    if depth == 0:
        yield text[at:]
