"""A trace as a page shows it: each distinct message once, each run one row.

A picture is made where the trace is, and travels to where the page is written.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from pytest_refinery.analysis.frozen import Frozen
from pytest_refinery.digest.lines import fold, visible
from pytest_refinery.traces import conversation, messages
from pytest_refinery.traces.model import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_refinery.traces.model import Run, Trace

# Characters of one text: the first of these with which the texts of a picture stay below the sum of characters.
# Real traces need none of it: 163 runs of the longest one at hand hold 60,000 characters.
LONGEST_TEXTS = (20_000, 4_000, 800, 160)
LARGEST_PICTURE = 2_000_000
_LONGEST_NAME = 200
_AROUND_A_QUOTE = 400


class PictureMessage(Frozen):
    """One distinct message; each of ``calls`` is a tool call as ``name(arguments)``."""

    role: str
    name: str = ""
    text: str = ""
    thinking: str = ""
    calls: tuple[str, ...] = ()
    is_error: bool = False


class PictureRun(Frozen):
    """One row.

    Attributes:
        number: The 1-based place in the trace.
        parent: The number of the parent; ``None`` for a root.
        start: Seconds from the start of the trace; ``None`` where the trace has no times.
        end: The same for the end.
        reads: The messages that went in, as places in the picture's ``messages``.
        writes: The messages that came out.
        inputs: What else went in, as a place in the picture's ``values``.
        outputs: What else came out.
    """

    number: int
    id: str
    name: str
    kind: str
    parent: int | None = None
    start: float | None = None
    end: float | None = None
    error: str = ""
    is_pending: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    reads: tuple[int, ...] = ()
    writes: tuple[int, ...] = ()
    inputs: int | None = None
    outputs: int | None = None


class PictureStep(Frozen):
    """One step of the conversation: who speaks, in the run of which number, and a place in ``messages``."""

    run: int
    message: int
    speaker: str = ""


class Picture(Frozen):
    """A whole trace, as small as it gets.

    ``cut`` says what was left out, in one sentence; it is empty where nothing was.
    """

    runs: tuple[PictureRun, ...]
    steps: tuple[PictureStep, ...]
    messages: tuple[PictureMessage, ...]
    values: tuple[str, ...]
    cut: str = ""


def draw(trace: Trace, *, quotes: Iterable[str] = ()) -> Picture:
    """Return the picture of a trace.

    Texts longer than the first fitting one of ``LONGEST_TEXTS`` are cut, but never in one of the ``quotes``.
    """
    pool = _Pool()
    begin = min((run.started_at for run in trace.runs if run.started_at), default=None)
    rows = [_row(run, trace, pool) for run in trace.runs]
    if begin is not None:
        rows = [_timed(row, run, begin.timestamp()) for row, run in zip(rows, trace.runs, strict=True)]
    steps = tuple(_steps(trace, pool))
    cutter = _Cutter(_longest(pool.lengths()), [_pattern(quote) for quote in quotes if quote.strip()])
    return Picture(
        runs=tuple(row.model_copy(update={"error": cutter.cut(row.error)}) for row in rows),
        steps=steps,
        messages=tuple(cutter.cut_message(message) for message in pool.messages),
        values=tuple(cutter.cut(value) for value in pool.values),
        cut=cutter.note(),
    )


def _row(run: Run, trace: Trace, pool: _Pool) -> PictureRun:
    read, written = messages.read(run.inputs), messages.read(run.outputs)
    number, parent = trace.numbers[run.id], trace.numbers.get(run.parent_id or "")
    return PictureRun(
        number=number,
        id=visible(run.id),
        name=_name(run.name),
        kind=_name(run.kind),
        # Whatever a trace made by hand says, a tree has no cycles.
        parent=parent if parent and parent < number else None,
        error=visible(run.error or ""),
        is_pending=run.is_pending,
        input_tokens=run.usage.get("input_tokens", 0),
        output_tokens=run.usage.get("output_tokens", 0),
        reads=tuple(map(pool.message, read.messages)),
        writes=tuple(map(pool.message, written.messages)),
        inputs=pool.value(read.rest),
        outputs=pool.value(written.rest),
    )


def _timed(row: PictureRun, run: Run, begin: float) -> PictureRun:
    start = run.started_at.timestamp() - begin if run.started_at else None
    end = run.ended_at.timestamp() - begin if run.ended_at else None
    return row.model_copy(
        update={"start": None if start is None else round(start, 3), "end": None if end is None else round(end, 3)}
    )


def _steps(trace: Trace, pool: _Pool) -> Iterator[PictureStep]:
    for step in conversation.read(trace).steps:
        spoken = Message(step.role, step.text, tool_calls=step.calls, is_error=step.is_error)
        speaker = "" if step.speaker == step.role else _name(step.speaker)
        yield PictureStep(run=trace.numbers[step.run_id], message=pool.message(spoken), speaker=speaker)


def _call(name: str, arguments: object) -> str:
    return visible(f"{name}({arguments if isinstance(arguments, str) else _written(arguments)})")


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _name(text: str) -> str:
    return visible(text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]} ...")


class _Pool:
    """The distinct messages and values of a trace, by their places.

    Two messages are one where all but their names agree, unless both have names.
    """

    def __init__(self) -> None:
        self.messages: list[PictureMessage] = []
        self._copies: dict[tuple[object, ...], dict[str, int]] = {}
        self._values: dict[str, int] = {}

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(self._values)

    def message(self, message: Message) -> int:
        name = _name(message.name or "")
        calls = tuple(_call(call.name, call.arguments) for call in message.tool_calls)
        key = (message.role, message.text, message.thinking, calls, message.is_error)
        copies = self._copies.setdefault(key, {})
        if name not in copies:
            copies[name] = self._placed(message, name, calls, copies)
        return copies[name]

    def _placed(self, message: Message, name: str, calls: tuple[str, ...], copies: dict[str, int]) -> int:
        if copies and not name:
            return next(iter(copies.values()))
        drawn = PictureMessage(
            role=_name(message.role),
            name=name,
            text=visible(message.text),
            thinking=visible(message.thinking),
            calls=calls,
            is_error=message.is_error,
        )
        # A copy without a name takes the first name that another one has.
        place = copies.pop("", len(self.messages))
        self.messages[place : place + 1] = [drawn]
        return place

    def value(self, value: object) -> int | None:
        if value is None or value in ({}, []):
            return None
        text = visible(value if isinstance(value, str) else _written(value))
        return self._values.setdefault(text, len(self._values))

    def lengths(self) -> list[int]:
        texts = [text for message in self.messages for text in (message.text, message.thinking, *message.calls)]
        return [len(text) for text in (*texts, *self._values)]


def _longest(lengths: Sequence[int]) -> int:
    """Return how many characters of a text are kept."""
    fitting = (most for most in LONGEST_TEXTS if sum(min(length, most) for length in lengths) <= LARGEST_PICTURE)
    return next(fitting, LONGEST_TEXTS[-1])


def _pattern(quote: str) -> re.Pattern[str]:
    """Return what finds a quote in a text whose white space may differ."""
    return re.compile(r"\s+".join(map(re.escape, fold(quote).split())))


class _Cutter:
    """Cuts texts, and counts them."""

    def __init__(self, most: int, quotes: Sequence[re.Pattern[str]]) -> None:
        self._most = most
        self._quotes = quotes
        self._count = 0

    def cut(self, text: str) -> str:
        if len(text) <= self._most:
            return text
        self._count += 1
        kept = [(0, self._most), *self._quoted(text)]
        return "".join(_spans(text, kept))

    def _quoted(self, text: str) -> Iterator[tuple[int, int]]:
        for quote in self._quotes:
            if found := quote.search(text):
                yield max(0, found.start() - _AROUND_A_QUOTE), found.end() + _AROUND_A_QUOTE

    def cut_message(self, message: PictureMessage) -> PictureMessage:
        if max(map(len, (message.text, message.thinking, *message.calls))) <= self._most:
            return message
        return message.model_copy(
            update={
                "text": self.cut(message.text),
                "thinking": self.cut(message.thinking),
                "calls": tuple(map(self.cut, message.calls)),
            }
        )

    def note(self) -> str:
        if not self._count:
            return ""
        texts = "1 text was" if self._count == 1 else f"{self._count:,} texts were"
        return f"{texts} cut after {self._most:,} characters; quotes are kept."


def _spans(text: str, kept: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Yield the parts of ``text`` to keep, and between them how much is left out."""
    done = 0
    for start, end in sorted(kept):
        if start > done:
            yield _gap(start - done)
        yield text[max(start, done) : end]
        done = max(done, end)
    if done < len(text):
        yield _gap(len(text) - done)


def _gap(characters: int) -> str:
    return f"\n[... {characters:,} characters left out ...]\n"
