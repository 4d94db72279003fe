"""To look for secrets takes linear time in whatever a degenerating model prints."""

from __future__ import annotations

import importlib
import re
import time

import pytest

from pytest_refinery.scrubbing.scrubber import Scrubber

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
MODULES = (
    *("scrubbing.secret_shapes", "scrubbing.secret_names", "scrubbing.scrubber", "scrubbing.environment"),
    *("cassettes.recorder", "cassettes.normalize", "cassettes.yaml_text", "cassettes.bodies"),
    *("sources.formats.json_stream", "expectations.near_names", "expectations.output_check", "reports.escape"),
)


@pytest.mark.parametrize("piece", PIECES)
def test_a_degenerate_text_takes_linear_time(piece: str) -> None:
    assert len(PIECES) == 33
    text = piece * (_SIZE // len(piece))
    begin = time.thread_time()
    Scrubber().text(text)
    # On an idle machine at most one second; a quadratic search would take hours.
    assert time.thread_time() - begin < 20


@pytest.mark.parametrize("module", MODULES)
def test_each_pattern_takes_linear_time(module: str) -> None:
    found = vars(importlib.import_module(f"pytest_refinery.{module}"))
    patterns = [each for each in found.values() if isinstance(each, re.Pattern) and isinstance(each.pattern, str)]
    slow = [(each.pattern, piece) for each in patterns for piece in PIECES if not _is_linear(each, piece)]
    assert not slow


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
