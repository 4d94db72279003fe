"""To look for secrets takes linear time in whatever a degenerating model prints."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pytest

import pytest_refinery
from pytest_refinery.scrubbing.scrubber import Scrubber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_SIZE = 800_000
PIECES = [
    *(
        "\n",
        " ",
        "\t",
        "\r\n",
        "a",
        "A",
        "0",
        "_",
        "-",
        ".",
        ",",
        ":",
        "=",
        '"',
        "'",
        "\\",
        "/",
        "(",
        ")",
        "[",
        "{",
        "<",
    ),
    *("a ", "a\n", "0,", "sk-", '"key":"', "://", "eyJ-", "ä", "\u3000", "token=", "-----BEGIN PRIVATE KEY-----"),
]


@pytest.mark.parametrize("piece", PIECES)
def test_a_degenerate_text_takes_linear_time(piece: str) -> None:
    assert len(PIECES) == 33
    text = piece * (_SIZE // len(piece))
    begin = time.thread_time()
    Scrubber().text(text)
    # On an idle machine at most one second; a quadratic search would take hours.
    assert time.thread_time() - begin < 20


def test_each_pattern_of_the_package_takes_linear_time() -> None:
    patterns = {each.pattern: each for module in _modules() for each in _patterns(vars(module), set())}
    slow = [(each.pattern, piece) for each in patterns.values() for piece in PIECES if not _is_linear(each, piece)]
    assert len(patterns) > 100
    assert not slow


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(pytest_refinery.__path__, f"{pytest_refinery.__name__}."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def _patterns(value: object, seen: set[int]) -> Iterator[re.Pattern[str]]:
    """Yield the patterns in what a module holds, and in what our own classes and objects there hold."""
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        yield value
    if id(value) in seen:
        return
    seen.add(id(value))
    members: Iterable[object] = ()
    if isinstance(value, Mapping):
        members = value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        members = value
    elif str(getattr(value, "__module__", "")).startswith(pytest_refinery.__name__):
        members = list(getattr(value, "__dict__", {}).values())
    for member in members:
        yield from _patterns(member, seen)


def _is_linear(pattern: re.Pattern[str], piece: str) -> bool:
    short = _seconds(pattern, piece * (2_000 // len(piece) + 1))
    if short < 0.002:
        return True
    short = min(short, _seconds(pattern, piece * (2_000 // len(piece) + 1)))
    return min(_seconds(pattern, piece * (16_000 // len(piece) + 1)) for _ in range(2)) < 32 * short


def _seconds(pattern: re.Pattern[str], text: str) -> float:
    begin = time.thread_time()
    for _ in pattern.finditer(f"{text}!"):
        pass
    return time.thread_time() - begin
