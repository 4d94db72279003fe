"""What a check found, as a record for reports and as data for analysts, and how values are shown in it."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Run

EXPECTATION = "expectation"
"""What ``Finding.explains`` calls the sentence itself, where no check, judge or test says what failed."""
_SHOWN = 300
_LABEL = 60


class Quote(NamedTuple):
    """Words of one run, as they stand there."""

    run_id: str
    text: str


class ObjectedCall(NamedTuple):
    """A tool call that a check objects to: where it is, which tool, and its arguments as recorded."""

    run_id: str
    tool: str
    arguments: object


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a check objects to, as data.

    Attributes:
        argument: What the file demands here, a JSON value: one text of ``contains``, the arguments of one tool, ...
        text: The words objected to, exactly as they stand in the trace; ``None`` where something is missing.
        calls: The calls objected to, in order: forbidden, too many, or with other arguments than demanded.
        tool: The tool that the demand is about, ``None`` for all tools or none.
        number: What was counted or measured.
        limit: What was allowed.
        error: What a failed run, or a function of the suite, says.
        quotes: What a judge quotes from the trace.
    """

    argument: object = None
    text: str | None = None
    calls: tuple[ObjectedCall, ...] = ()
    tool: str | None = None
    number: float | None = None
    limit: float | None = None
    error: str | None = None
    quotes: tuple[Quote, ...] = ()


NO_FACTS = Facts()


@dataclass(frozen=True, kw_only=True)
class CheckFailure(Facts):
    """One thing that was found wrong about a trace, by a check, a judge or a test.

    Attributes:
        check: ``output.not_contains``, ``tools.at_most``, ``errors.none``, ``runs.at_most``, ``latency.seconds``,
            ``tokens.at_most``, ``python``, the name of a custom check, ``agent`` (it raised), ``judge``, or
            ``assertion`` (of a Python test, or of a person).
        expected: What was expected, in words: ``the answer not to contain 'x'``.
        actual: What was there, in words.
        run_id: The run in which it was there, where one run can be named.
    """

    check: str
    expected: str = ""
    actual: str = ""
    run_id: str | None = None

    @property
    def message(self) -> str:
        """The failure as one sentence for people."""
        return f"expected {self.expected}, was {self.actual}"

    @property
    def label(self) -> str:
        """What ``Finding.explains`` calls it: ``output.contains 'x'``, ``tools.called search``, ``judge``."""
        argument = "" if self.argument is None or self.argument == self.tool else _brief(self.argument)
        return " ".join(filter(None, (self.check, self.tool, argument)))

    @property
    def short(self) -> str:
        """What failed, for a line of a report: ``output.contains 'x'``, ``tools.arguments search {"query": "x"}``."""
        argument = "" if self.argument is None or self.argument == self.tool else self.argument
        shown = quoted(argument) if isinstance(argument, str) else json.dumps(argument, ensure_ascii=False, default=str)
        return " ".join(filter(None, (self.check, self.tool, shown if argument else "")))


def of_assertion(expect: str, actual: str, error: str | None = None) -> CheckFailure:
    """Return what a failed ``assert`` objects to, where it is one of ``'words' in ...`` or ``'words' not in ...``.

    Args:
        expect: The sentence of the test.
        actual: What failed, in words.
        error: What the assertion says, as pytest explains it.
    """
    found = _ASSERTED.search(error or actual)
    words = ast.literal_eval(found["words"]) if found is not None else ""
    if found is None or "..." in words:  # where pytest has shortened it
        return CheckFailure(check="assertion", expected=expect, actual=actual, error=error)
    unwanted = words if found["no"] else None
    return CheckFailure(check="assertion", expected=expect, actual=actual, error=error, argument=words, text=unwanted)


_ASSERTED = re.compile(
    r"(?:^|: )assert (?P<words>'(?:[^'\\\n]|\\.)+'|\"(?:[^\"\\\n]|\\.)+\") (?P<no>not )?in ", re.MULTILINE
)


def _brief(argument: object) -> str:
    shown = visible(repr(argument))
    return shown if len(shown) <= _LABEL else f"{shown[:_LABEL]}…"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check of one value.

    Attributes:
        name: The check and what it looks at, such as ``output.contains``.
        expected: What was expected: ``the answer to contain 'x'``.
        actual: What was there.
        run_id: The run in which it was there, where one run can be named.
        failure: The same as data, where the check failed; ``None`` where it passed or could not be decided.
        raised: What a function of the suite raised to say so: a debugger stops there.
    """

    name: str
    passed: bool
    expected: str
    actual: str
    run_id: str | None = None
    run_name: str | None = None
    failure: CheckFailure | None = field(default=None, compare=False)
    raised: BaseException | None = field(default=None, compare=False)

    @property
    def message(self) -> str:
        """The verdict as one line: what was expected, what was there, and in which run."""
        where = "" if self.run_id is None else f" (in run {quoted(self.run_name or '')}, id {self.run_id})"
        return f"expected {self.expected}, was {self.actual}{where}"


class Decision(NamedTuple):
    """What a verdict says, without the name of the check and the run."""

    passed: bool
    expected: str
    actual: str
    facts: Facts = NO_FACTS


def verdict(name: str, run: Run | None, decision: Decision, *, check: str | None = None) -> Verdict:
    """Return the verdict of check ``name`` about ``run``; ``check`` is its name as data, where that differs."""
    passed, expected, actual, facts = decision
    run_id, run_name = (None, None) if run is None else (run.id, run.name)
    failure = None
    if not passed:
        failure = CheckFailure(check=check or name, expected=expected, actual=actual, run_id=run_id, **vars(facts))
    return Verdict(name, passed, expected, actual, run_id, run_name, failure)


def quoted(text: str, *, at: int = 0) -> str:
    """Return ``text`` in quotes on one line, about 300 characters around ``at``, control characters as escapes."""
    start = max(0, min(at - _SHOWN // 2, len(text) - _SHOWN))
    cut = text[start : start + _SHOWN]
    before, after = "… " if start else "", " …" if start + _SHOWN < len(text) else ""
    return f"'{before}{visible(cut)}{after}'"


def counted(number: int, noun: str) -> str:
    """Return ``1 run`` or ``2 runs``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def visible(text: str) -> str:
    """Return ``text`` with escapes for all that a terminal would obey instead of showing it."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
