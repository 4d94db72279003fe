"""The decisive call of a model, made again as it was and with another prompt; no tool is executed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from pytest_refinery.analysis import fixes
from pytest_refinery.analysis.ports import Forecast
from pytest_refinery.analysis.schemas import Trials
from pytest_refinery.digest import tokens
from pytest_refinery.errors import CheckError
from pytest_refinery.expectations import checks
from pytest_refinery.traces import model_calls
from pytest_refinery.traces.model import Trace
from pytest_refinery.verification import deciding
from pytest_refinery.verification.scratch import NotPossible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_refinery.analysis.ports import PromptFile
    from pytest_refinery.analysis.schemas import SuggestedFix, Verification
    from pytest_refinery.expectations.checks import Check
    from pytest_refinery.traces.model import Message, Run
    from pytest_refinery.traces.model_calls import ModelCall

_SHOWN = 300
_BEFORE_A_DIFFERENCE = 20


@dataclass(frozen=True)
class StepChecks:
    """The checks of an expectation that one step of its trace fails by itself.

    Attributes:
        custom: The checks that the suite offers.
        import_from: Where the modules are looked for that checks name.
    """

    checks: tuple[Check, ...]
    run: Run
    custom: Mapping[str, Callable[..., object]]
    import_from: tuple[Path, ...] = ()

    def hold(self, answer: Message) -> bool:
        """Tell whether all of them hold where the step has this answer.

        Raises:
            NotPossible: They are about the text of an answer that has none: what comes of its calls, no one knows.
        """
        if not answer.text.strip() and any(check.name == "output" for check in self.checks):
            msg = f"an answer calls {shown(answer)} where the recorded one spoke, so one step alone decides nothing"
            raise NotPossible(msg)
        return all(_holds(check, self.run, answer, self, undecided=False) for check in self.checks)


def failed_by(
    run: Run,
    trace: Trace,
    wanted: Sequence[Check],
    *,
    custom: Mapping[str, Callable[..., object]],
    import_from: tuple[Path, ...] = (),
) -> StepChecks:
    """Return the checks that fail in the trace, and in its step alone.

    Raises:
        NotPossible: There are none: what failed is not decided by this step.
    """
    every = StepChecks((), run, custom, import_from)
    recorded = model_calls.read(run).answer
    failed = tuple(
        check
        for check in wanted
        if not _all_pass(check, trace, every, undecided=True)
        and not _holds(check, run, recorded, every, undecided=True)
    )
    if not failed:
        msg = "no check of the expectation fails in the decisive step alone"
        raise NotPossible(msg)
    return StepChecks(failed, run, custom, import_from)


def _holds(check: Check, run: Run, answer: Message, among: StepChecks, *, undecided: bool) -> bool:
    step = run.model_copy(update={"parent_id": None, "inputs": None, "outputs": model_calls.as_outputs(answer)})
    return _all_pass(check, Trace(id=run.id, name=run.name, runs=(step,)), among, undecided=undecided)


def _all_pass(check: Check, trace: Trace, among: StepChecks, *, undecided: bool) -> bool:
    try:
        found = checks.run_checks((check,), trace, custom=among.custom, import_from=among.import_from)
    except CheckError:
        return undecided
    return all(verdict.passed for verdict in found)


def whole(run: Run) -> ModelCall:
    """Return the call that a run records.

    Raises:
        NotPossible: Something of it is missing in the trace.
    """
    call = model_calls.read(run)
    if call.missing:
        msg = f"the trace does not hold {' and '.join(call.missing)} of step {run.name}"
        raise NotPossible(msg)
    return call


def with_fix(call: ModelCall, fix: SuggestedFix, files: Sequence[PromptFile]) -> ModelCall:
    """Return the call with a fix made in the prompt that it was given.

    Raises:
        NotPossible: It was not given the text that the fix changes.
    """
    file = next((each for each in files if each.path == fix.file), None)
    change = fixes.edit(fix, file.text) if file else None
    old, new = (file.text.strip(), change.applied(file.text).strip()) if file and change else ("", "")
    if old and old in call.system:
        return call.told(call.system.replace(old, new))
    rendered = fixes.edit(fix, call.system) if fix.before.strip() else None
    if rendered is None:
        msg = f"the call was not given the text of {fix.file} that the fix changes"
        raise NotPossible(msg)
    return call.told(rendered.applied(call.system))


def forecast(trace: Trace, times: int) -> Forecast:
    """Return what it costs at most to make a call of the trace so many times as it was, and so many times changed.

    No one knows yet which is the decisive one: the largest is taken.
    """
    calls = [call for call in map(model_calls.read, trace.runs) if not call.missing]
    texts = (
        [*(each.text for each in call.messages), *(json.dumps(tool.parameters) for tool in call.tools)]
        for call in calls
    )
    largest = max((sum(map(tokens.estimate, each)) for each in texts), default=0)
    count = 2 * times if calls else 0
    answers = [tokens.estimate(shown(call.answer)) for call in calls]
    least, most = min(answers, default=0), max(answers, default=0)
    return Forecast(count, count * largest, count * least, count * most)


@dataclass(frozen=True)
class Replays:
    """What came of making a call several times, as it was and changed.

    Attributes:
        as_it_was: The answers to the call as it was.
        changed: The answers to the changed one, none where nothing was changed.
    """

    recorded: Message
    as_it_was: tuple[Message, ...]
    changed: tuple[Message, ...]

    def verdict(self, step: StepChecks, *, tokens: int = 0) -> Verification:
        """Return what the answers show about the checks that the step fails."""
        before, after = (
            Trials(passed=sum(map(step.hold, each)), trials=len(each)) for each in (self.as_it_was, self.changed)
        )
        return deciding.decide(before, after, how="replay", tokens=tokens)

    def lines(self, title: str) -> Iterator[str]:
        """Yield the answers beside the recorded one, equal ones once; ``title`` says what was changed."""
        yield f"recorded    {shown(self.recorded)}"
        for name, answers in (("as it was", self.as_it_was), (title, self.changed)):
            counted = Counter(map(shown, answers))
            for said, count in counted.most_common():
                same = "as recorded" if said == shown(self.recorded) else difference(shown(self.recorded), said)
                yield f"{name:<12}{count} of {len(answers)}: {same}"


def made_again(ask: Callable[[ModelCall], Message], call: ModelCall, changed: ModelCall | None, times: int) -> Replays:
    """Ask a call so many times as it was, and so many times changed, in turns."""
    found: tuple[list[Message], list[Message]] = ([], [])
    for _ in range(times):
        for answers, each in zip(found, (call, changed), strict=True):
            if each is not None:
                answers.append(ask(each))
    return Replays(call.answer, tuple(found[0]), tuple(found[1]))


def shown(answer: Message) -> str:
    """Return an answer in one line: what was said, and which tools were called with what."""
    calls = [f"{call.name}({model_calls.arguments_text(call)})" for call in answer.tool_calls]
    said = [f'"{" ".join(answer.text.split())}"'] if answer.text.strip() or not calls else []
    return ", then ".join([*said, *calls])


def difference(recorded: str, said: str) -> str:
    """Return an answer from shortly before the first place where it differs from the recorded one."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(recorded, said, strict=False)))
    start = max(0, same - _BEFORE_A_DIFFERENCE)
    text = said[start : start + _SHOWN]
    return f"{'...' if start else ''}{text}{'...' if start + _SHOWN < len(said) else ''}"
