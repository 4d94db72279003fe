"""Trivial rules: what an analyst must beat.

Each rule names a step without understanding anything. ``random`` is not drawn but computed: it
is the mean over all steps, each of them as likely as any other.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from benchmarks.accuracy.labelled import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.accuracy.labelled import Labelled

_ERROR = re.compile(r"\berror\b|exception|traceback|failed", re.IGNORECASE)


def first(labelled: Labelled) -> int:
    """Return the first step."""
    return _steps(labelled)[0]


def last(labelled: Labelled) -> int:
    """Return the last step."""
    return _steps(labelled)[-1]


def second_last(labelled: Labelled) -> int:
    """Return the step before the last."""
    return _steps(labelled)[-2:][0]


def busiest_worker(labelled: Labelled) -> int:
    """Return the first step of the worker that speaks most often."""
    turns = Counter(speaker for speaker in labelled.speakers if speaker in labelled.workers)
    name = turns.most_common(1)[0][0] if turns else labelled.speakers[-1]
    return labelled.speakers.index(name)


def first_error(labelled: Labelled) -> int:
    """Return the first step that speaks of an error, else the last one."""
    named = (step for step in _steps(labelled) if _ERROR.search(labelled.texts[step]))
    return next(named, last(labelled))


RULES: dict[str, Callable[[Labelled], int]] = {
    "first": first,
    "last": last,
    "second last": second_last,
    "busiest worker's first": busiest_worker,
    "first error text": first_error,
}


def answers(rule: Callable[[Labelled], int], cases: Sequence[Labelled]) -> list[Answer]:
    """Return what a rule says about each case."""
    return [
        Answer(step=step, agent=case.speakers[step], candidates=(step,)) for case in cases for step in (rule(case),)
    ]


def every_step(case: Labelled) -> list[Answer]:
    """Return one answer for each step that could be named at all."""
    return [Answer(step=step, agent=case.speakers[step], candidates=(step,)) for step in _steps(case)]


def constant(cases: Sequence[Labelled]) -> list[Answer]:
    """Return the one step number that is right most often, chosen with the labels in sight."""
    step = Counter(case.decisive for case in cases if case.decisive is not None).most_common(1)[0][0]
    return answers(lambda case: min(step, last(case)), cases)


def _steps(labelled: Labelled) -> list[int]:
    return [step for step, run_id in enumerate(labelled.run_ids) if run_id is not None]
