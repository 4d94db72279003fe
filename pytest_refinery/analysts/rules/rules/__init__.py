"""The rules: each finds one kind of mistake and says where it sees it, whatever the expectation was.

A rule takes ``TraceFacts`` and yields ``Found``. Whether what it found explains the failure is decided elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysts.rules.rules import (
    changes,
    divergences,
    endings,
    failures,
    figures,
    led_teams,
    promises,
    requests,
    teams,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.analysts.rules.findings import Found

RULES: tuple[Callable[[TraceFacts], Iterator[Found]], ...] = (
    promises.lasting_promises,
    promises.claims_without_a_call,
    failures.answers_after_failures,
    failures.failed_calls,
    failures.closed_doors,
    failures.repeated_calls,
    failures.limits,
    figures.invented_values,
    figures.miscounts,
    figures.wrong_extremes,
    figures.wrong_records,
    changes.duplicate_changes,
    changes.unconfirmed_changes,
    changes.acted_on_questions,
    changes.invented_arguments,
    changes.other_records,
    changes.wider_than_asked,
    changes.unasked_choices,
    changes.unavailable_choices,
    changes.early_handovers,
    changes.skipped_first_steps,
    requests.ignored_wishes,
    requests.passed_over_wishes,
    requests.turned_requests,
    requests.refusals_without_looking,
    endings.empty_answers,
    endings.unreadable_outputs,
    teams.assumed_data,
    teams.contradicted_results,
    teams.unsourced_answers,
    teams.failing_programs,
    teams.given_up,
    teams.origins_of_answers,
    teams.first_programs,
    teams.off_task_starts,
    led_teams.unfulfilled_orders,
    led_teams.repeated_orders,
    led_teams.final_reports,
    divergences.given_otherwise,
)
