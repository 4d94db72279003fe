"""The secrets of this process's environment, and where a text holds one of them. None is ever shown."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from pytest_refinery.scrubbing import secret_names, secret_shapes
from pytest_refinery.scrubbing.secret_names import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_refinery.scrubbing.secret_shapes import Runs

_WORDS = frozenset("APIKEY CREDENTIALS KEY KEYS PASS PASSPHRASE PASSWD PASSWORD SECRET SECRETS TOKEN".split())
# Such variables say where a secret is, or how much of something there is.
_HARMLESS_ENDS = ("_FILE", "_PATH", "_DIR", "_SOCK", "_NAME", "_COUNT", "_LIMIT")
_FOLDERS = frozenset({"PWD", "OLDPWD"})
_IN_URL = re.compile(r"://[^/?#\s:@]*:([^/?#\s@]+)@")
# Shorter ones stand in any text by chance.
_SHORTEST = 8


@dataclass(frozen=True)
class SecretValues:
    """Values of environment variables that are secrets, by their names, in every form that they may be sent in."""

    forms: Mapping[str, tuple[str, ...]] = field(repr=False)

    def found_in(self, texts: Iterable[str]) -> str | None:
        """Return the name of a variable whose value is in one of the texts."""
        for text in texts:
            for name, forms in self.forms.items():
                if any(form in text for form in forms):
                    return name
        return None

    def spans(self, runs: Runs) -> Iterator[tuple[int, int]]:
        """Yield where one of the values stands in a text."""
        yield from runs.find(self._in_runs[True])
        for form in self._in_runs[False]:
            yield from secret_shapes.places(runs.text, form)

    @cached_property
    def _in_runs(self) -> dict[bool, list[str]]:
        """The forms, by whether they can stand in long runs of the characters of keys only."""
        found: dict[bool, list[str]] = {True: [], False: []}
        for form in chain.from_iterable(self.forms.values()):
            is_run = len(form) >= secret_shapes.SHORTEST_RUN and secret_shapes.IN_RUNS.issuperset(form)
            found[is_run].append(form)
        return found


NONE = SecretValues({})


def of_environment(environment: Mapping[str, str]) -> SecretValues:
    """Return the secrets among environment variables: by the words in their names, and passwords in URLs."""
    found = {name: value for name, value in environment.items() if _is_secret(name)}
    for name, value in environment.items():
        if password := _IN_URL.search(value):
            found[name] = password[1]
    return SecretValues({name: _forms(value) for name, value in found.items() if len(value) >= _SHORTEST})


def _is_secret(name: str) -> bool:
    if name in _FOLDERS or name.upper().endswith(_HARMLESS_ENDS):
        return False
    return not _WORDS.isdisjoint(name.upper().split("_")) or secret_names.kind(name) is Kind.CERTAIN


def _forms(value: str) -> tuple[str, ...]:
    in_urls = (quote(value), quote(value, safe=""), quote_plus(value))
    in_json = (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
    spelled = (value, *in_urls, *in_json, *_in_base64(value))
    return tuple(dict.fromkeys(form for form in spelled if len(form) >= _SHORTEST))


def _in_base64(value: str) -> Iterable[str]:
    """Yield what a value looks like inside base64, at each of the three places where it may begin in a group."""
    for before in range(3):
        content = b"\0" * before + value.encode("utf-8", "surrogateescape")
        # The characters at both ends depend on what stands beside the value.
        coded = base64.b64encode(content).decode().rstrip("=")
        yield coded[(0, 2, 3)[before] : len(coded) - (1 if len(content) % 3 else 0)]
