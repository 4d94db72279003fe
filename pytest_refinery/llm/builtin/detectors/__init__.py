"""The detectors: each looks for one kind of mistake and says where it sees it.

A detector takes a ``Reading`` and yields ``Sign``s. It never weighs its signs against those of
others: that is done in one place, ``ranking``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.llm.builtin.detectors import (
    answers,
    calls,
    checks,
    choices,
    endings,
    errors,
    figures,
    policy,
    promises,
    relevance,
    requests,
    wishes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_refinery.llm.builtin.reading import Reading, Sign

Detector = "Callable[[Reading], Iterator[Sign]]"

DETECTORS: tuple[Callable[[Reading], Iterator[Sign]], ...] = (
    promises.lasting_promises,
    promises.claimed_actions,
    errors.failed_calls,
    errors.crashed_runs,
    calls.repeated_calls,
    calls.wider_than_asked,
    calls.closed_doors,
    calls.unknown_arguments,
    figures.ungrounded_figures,
    figures.miscounts,
    figures.misattributed_figures,
    choices.unasked_choices,
    choices.unavailable_choices,
    choices.wrong_extremes,
    policy.unconfirmed_changes,
    policy.skipped_first_steps,
    policy.repeated_changes,
    wishes.contradicted_wishes,
    requests.changed_requests,
    requests.refusals_without_looking,
    requests.early_handovers,
    endings.step_limits,
    endings.empty_answers,
    endings.gave_up,
    answers.invented_data,
    answers.origins,
    relevance.expected_topics,
    checks.failed_checks,
    checks.checked_calls,
    checks.first_said,
    checks.missed_searches,
    policy.actions_on_questions,
    relevance.off_topic_starts,
    endings.unparsable_outputs,
)
