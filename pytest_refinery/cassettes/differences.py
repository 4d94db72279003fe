"""Why a request is not in a cassette, said so that one sees what has changed."""

from __future__ import annotations

import json
import shlex
from itertools import zip_longest
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_refinery.cassettes.interactions import Request
    from pytest_refinery.traces.model import Json

_SHOWN = 60
_ABSENT = object()


def explained(request: Request, recorded: Sequence[Request], *, about: str, path: Path, exists: bool) -> str:
    """Return the sentences about a request that has no answer among those ``recorded``."""
    command = f"pytest --refinery --refinery-record=all {shlex.quote(about)}"
    if not exists:
        return f"{about}: there is no cassette {path} that could answer {request}. Record it: {command}"
    what = _what(request, recorded, path)
    return f"{about}: {what} If that was meant to change, record again: {command}"


def first_difference(recorded: Request, asked: Request) -> str:
    """Return where two requests differ first, and what stands there in each."""
    if recorded.method != asked.method or recorded.url != asked.url:
        return f"it is {recorded}"
    if recorded.body.kind != asked.body.kind:
        return f"its body is {recorded.body.kind} and now {asked.body.kind}"
    return next(_differences(recorded.body.value, asked.body.value, "$"), "it differs in nothing that can be shown")


def closest(request: Request, recorded: Sequence[Request]) -> Request | None:
    """Return the recorded request that has most in common with one, ``None`` where there is none."""
    if not recorded:
        return None
    most = max(_in_common(each, request) for each in recorded)
    lines = _lines(request)
    alike = [each for each in recorded if _in_common(each, request) == most]
    return max(alike, key=lambda each: len(lines & _lines(each)))


def _what(request: Request, recorded: Sequence[Request], path: Path) -> str:
    times = sum(each.key == request.key for each in recorded)
    if times:
        return f"{request} was recorded {_times(times)} in {path} and is asked for once more."
    nearest = closest(request, recorded)
    if nearest is None:
        return f"{request} is not in {path}, which holds no request."
    return f"{request} is not in {path}. In the closest recorded request, {first_difference(nearest, request)}."


def _times(times: int) -> str:
    return "once" if times == 1 else f"{times} times"


def _in_common(one: Request, other: Request) -> tuple[bool, bool, bool, bool]:
    mine, theirs = urlsplit(one.url), urlsplit(other.url)
    return one.method == other.method, mine.path == theirs.path, mine.netloc == theirs.netloc, one.url == other.url


def _lines(request: Request) -> frozenset[str]:
    return frozenset(_leaves(request.body.value, ""))


def _leaves(value: Json, where: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _leaves(member, f"{where}.{name}")
    elif isinstance(value, list):
        for place, member in enumerate(value):
            yield from _leaves(member, f"{where}[{place}]")
    else:
        for line in str(value).split("\n"):
            yield f"{where} {line}"


def _differences(recorded: Any, asked: Any, where: str) -> Iterator[str]:  # noqa: ANN401  (a JSON value, or none)
    if isinstance(recorded, dict) and isinstance(asked, dict):
        for name in sorted({*recorded, *asked}):
            yield from _differences(recorded.get(name, _ABSENT), asked.get(name, _ABSENT), f"{where}.{name}")
    elif isinstance(recorded, list) and isinstance(asked, list):
        for place, (one, other) in enumerate(zip_longest(recorded, asked, fillvalue=_ABSENT)):
            yield from _differences(one, other, f"{where}[{place}]")
    elif isinstance(recorded, str) and isinstance(asked, str):
        yield from _line_differences(recorded, asked, where)
    elif type(recorded) is not type(asked) or recorded != asked:
        yield f"{where} is {_shown(recorded)} and now {_shown(asked)}"


def _line_differences(recorded: str, asked: str, where: str) -> Iterator[str]:
    lines = zip_longest(recorded.split("\n"), asked.split("\n"), fillvalue=_ABSENT)
    for number, (one, other) in enumerate(lines, start=1):
        if one != other:
            at = f"{where}: line {number}" if "\n" in recorded + asked else where
            yield f"{at} is {_shown(*_from_difference(one, other))} and now {_shown(*_from_difference(other, one))}"


def _from_difference(line: Any, other: Any) -> tuple[Any, int]:  # noqa: ANN401  (a text, or none)
    """Return a line, and where to begin so that the first difference is in what is shown."""
    if not isinstance(line, str) or not isinstance(other, str):
        return line, 0
    same = next((place for place, (one, two) in enumerate(zip(line, other, strict=False)) if one != two), len(other))
    return line, max(0, same - _SHOWN // 2) if same > _SHOWN // 2 else 0


def _shown(value: Any, begin: int = 0) -> str:  # noqa: ANN401  (a JSON value, or none)
    if value is _ABSENT:
        return "absent"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if not isinstance(value, str):
        return json.dumps(value)
    cut = value[begin : begin + _SHOWN]
    return repr(f"{'...' if begin else ''}{cut}{'...' if begin + _SHOWN < len(value) else ''}")
