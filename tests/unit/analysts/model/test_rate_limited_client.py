from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.analysis.ports import Stage
from pytest_refinery.analysts.model import service_errors
from pytest_refinery.analysts.model.model_clients import OpenAIProtocols
from pytest_refinery.analysts.model.rate_limited_client import RateLimitedClient
from pytest_refinery.analysts.model.service_errors import (
    AccountRejected,
    ConnectionFailed,
    ErrorDetails,
    RequestRejected,
    ServiceError,
    TransientError,
)
from pytest_refinery.budget.estimates import Estimates
from tests.unit.analysts.model.fakes import OK, OpenJob, RecordingBudget, ScriptedService, make_query

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Desk:
    """RateLimitedClient over fakes, and the pauses that they make."""

    script: Sequence[dict[str, Any] | Exception]
    budget: RecordingBudget = field(default_factory=RecordingBudget)
    job: OpenJob = field(default_factory=OpenJob)
    pauses: list[float] = field(default_factory=list)
    unlimited: int | None = None
    assumed: int | None = None

    def __post_init__(self) -> None:
        self.service = ScriptedService(list(self.script))
        self.calls = RateLimitedClient(
            OpenAIProtocols(lambda: self.service),
            self.budget,
            Estimates(),
            unlimited=self.unlimited,
            assumed=self.assumed,
            sleep=lambda seconds, _: self.pauses.append(seconds),
            jitter=lambda: 1.0,
        )

    def ask(self, model: str = "gpt-4.1-mini") -> str:
        return self.calls.ask(make_query(model), self.job).text


def details(status: int, message: str = "No.", **more: Any) -> service_errors.ServiceError:  # noqa: ANN401  (of ErrorDetails)
    return service_errors.read(ErrorDetails(status, message, **more))


LIMITED = details(429, "Rate limit reached. Please try again in 1.326s.", code="rate_limit_exceeded")


def test_an_answer_is_reserved_settled_observed_and_booked() -> None:
    desk = Desk([OK])
    assert desk.ask() == '{"findings": []}'
    assert desk.budget.reserved[0] > 250
    assert desk.budget.settled == [110]
    assert desk.budget.observed == [{"x-ratelimit-limit-tokens": "30000"}]
    assert desk.budget.settled_when_observed == [1]
    assert desk.job.costs == [(Stage.TRACE_ANALYSIS, 100, 10)]
    assert desk.job.waits == [Stage.TRACE_ANALYSIS]


def test_the_first_request_goes_alone_until_its_answer_says_the_limit() -> None:
    desk = Desk([OK, OK], assumed=30_000)
    desk.ask()
    desk.ask()
    assert desk.budget.reserved[0] == 30_000
    assert desk.budget.reserved[1] < 1_000
    # The limit before what the request cost is given back, so that no other is granted by the assumed one.
    assert desk.budget.settled_when_observed == [0, 1, 2]


def test_behind_a_proxy_that_counts_what_an_answer_may_take_all_of_it_is_reserved() -> None:
    counts: list[list[int]] = []
    for headers in ({}, {"x-litellm-key-tpm-limit": "20000"}):
        desk = Desk([OK, OK])
        desk.service.headers = headers
        desk.ask()
        desk.ask()
        counts.append(desk.budget.reserved)
        assert desk.pauses == ([0.5, 0.5] if headers else [])
    assert counts[0][0] == counts[1][0]
    assert counts[1][1] > counts[0][1] + 200


def test_of_a_proxy_that_has_not_answered_yet_all_that_a_request_permits_is_reserved() -> None:
    desk = Desk([OK, OK], RecordingBudget(largest_request=60_000), unlimited=10**9, assumed=0)
    desk.ask()
    desk.ask()
    assert desk.budget.reserved[0] >= desk.budget.reserved[1] + 200


def test_a_limit_that_is_known_lets_the_first_request_go_with_others() -> None:
    desk = Desk([OK], RecordingBudget(largest_request=200_000), assumed=30_000)
    desk.ask()
    assert desk.budget.reserved[0] < 1_000


def test_a_budget_that_is_in_use_makes_no_request_wait_for_being_alone() -> None:
    desk = Desk([OK], RecordingBudget(foreseen=4.0), assumed=30_000)
    desk.ask()
    assert desk.budget.reserved[0] < 1_000


def test_a_refusal_goes_to_the_budget_which_waits_and_costs_nothing() -> None:
    desk = Desk([LIMITED, LIMITED, OK])
    desk.ask()
    assert [attempt for _, attempt in desk.budget.refusals] == [0, 1]
    assert desk.budget.settled == [0, 0, 110]
    assert desk.pauses == []


def test_a_refusal_that_the_budget_calls_final_is_final() -> None:
    desk = Desk([LIMITED], RecordingBudget(wait=None))
    with pytest.raises(RequestRejected, match="No waiting helps: make the groups smaller"):
        desk.ask()
    assert len(desk.service.asked) == 1


def test_refusals_without_end_come_to_an_end() -> None:
    desk = Desk([LIMITED] * 50)
    with pytest.raises(RequestRejected, match="It was asked 6 times"):
        desk.ask()


def test_trouble_is_tried_again_after_longer_and_longer_pauses() -> None:
    desk = Desk([details(500)] * 3 + [OK])
    desk.ask()
    assert desk.pauses == [1.0, 2.0, 4.0]


def test_the_services_own_pause_comes_first() -> None:
    desk = Desk([details(503, headers={"retry-after": "7"}), OK])
    desk.ask()
    assert desk.pauses == [7.0]


def test_trouble_that_stays_is_given_up() -> None:
    desk = Desk([details(500)] * 9)
    with pytest.raises(TransientError):
        desk.ask()
    assert len(desk.service.asked) == 5


def test_a_service_that_fails_again_and_again_is_left_in_peace() -> None:
    desk = Desk([details(503, "Overloaded")] * 9)
    for _ in range(4):
        with pytest.raises(TransientError, match="Overloaded"):
            desk.ask()
    assert len(desk.service.asked) == 5


def test_a_service_that_refuses_again_and_again_is_left_in_peace() -> None:
    desk = Desk([LIMITED] * 50)
    for _ in range(4):
        with pytest.raises(RequestRejected, match="It was asked 6 times"):
            desk.ask()
    assert len(desk.service.asked) == 6


def test_a_parameter_that_is_refused_although_it_is_not_sent_is_final() -> None:
    desk = Desk([details(400, param="temperature")] * 9)
    with pytest.raises(RequestRejected):
        desk.ask()
    assert len(desk.service.asked) == 2


@pytest.mark.parametrize("error", [details(400, param="temperature"), LIMITED, details(500)])
def test_nothing_is_asked_again_when_nobody_waits_any_more(error: Exception) -> None:
    desk = Desk([error] * 9)
    desk.job.cancelled.set()
    with pytest.raises(ServiceError):
        desk.ask()
    assert len(desk.service.asked) == 1


def test_every_request_says_what_work_it_is_for_and_what_is_to_come() -> None:
    desk = Desk([OK, OK])
    desk.job.expects(5_000)
    desk.ask()
    desk.ask()
    first, second = (work for work in desk.budget.works if work)
    assert (first.id, first.kind, first.stage) == ("job", "diagnosis", Stage.TRACE_ANALYSIS)
    assert first.remaining_tokens == 5_000 - desk.budget.reserved[0]
    assert second.remaining_tokens < first.remaining_tokens


def test_usage_that_the_service_does_not_say_is_counted() -> None:
    desk = Desk([{**OK, "usage": None}])
    desk.ask()
    ((_, read, written),) = desk.job.costs
    assert read > 50
    assert 2 <= written <= 10
    assert desk.budget.settled == [read + written]


def test_there_is_no_pause_that_ends_after_the_time_is_up() -> None:
    desk = Desk([details(500)] * 9, job=OpenJob(left=1.2))
    with pytest.raises(TransientError):
        desk.ask()
    assert desk.pauses == []


def test_an_answer_may_take_the_time_that_is_left() -> None:
    for left, allowed in ((300.0, 299.5), (10.5, 10.0)):
        desk = Desk([OK], job=OpenJob(left=left))
        desk.ask()
        assert desk.service.timeouts == [allowed]


def test_what_was_read_and_not_answered_is_charged() -> None:
    desk = Desk([TransientError("The connection to the service broke."), OK])
    desk.ask()
    assert desk.budget.settled[0] > 50


def test_what_never_got_there_costs_nothing() -> None:
    desk = Desk([ConnectionFailed("The service cannot be reached."), OK])
    desk.ask()
    assert desk.budget.settled[0] == 0


@pytest.mark.parametrize("error", [details(400), details(403)])
def test_what_is_final_is_asked_once(error: Exception) -> None:
    desk = Desk([error])
    with pytest.raises(RequestRejected):
        desk.ask()
    assert (len(desk.service.asked), desk.budget.settled) == (1, [0])


def test_an_account_that_is_refused_is_not_asked_for_anything_else() -> None:
    desk = Desk([details(401)])
    for _ in range(3):
        with pytest.raises(AccountRejected, match="Set OPENAI_API_KEY to a key"):
            desk.ask()
    assert len(desk.service.asked) == 1


@pytest.mark.parametrize(
    ("param", "model", "left_out"),
    [
        ("temperature", "gpt-4.1-mini", "temperature"),
        ("prompt_cache_key", "claude", "prompt_cache_key"),
        ("store", "claude", "store"),
        ("max_output_tokens", "m", "max_output_tokens"),
        ("reasoning.effort", "o3-mini", "reasoning"),
        ("reasoning", "gpt-5.4", "reasoning"),
    ],
)
def test_a_parameter_that_is_not_accepted_is_left_out_from_then_on(param: str, model: str, left_out: str) -> None:
    desk = Desk([details(400, param=param), OK, OK])
    desk.ask(model)
    desk.ask(model)
    assert [left_out in body for body in desk.service.asked] == [True, False, False]
    (note,) = desk.job.notes
    assert note.startswith(f"The model {model} does not accept ")
    assert note.endswith(": it was asked without.")


def test_any_other_parameter_that_is_not_accepted_is_final() -> None:
    desk = Desk([details(400, param="text.format.schema")])
    with pytest.raises(RequestRejected):
        desk.ask()


def test_an_unknown_model_is_said_with_the_nearest_name_also_where_names_cannot_be_had() -> None:
    unknown = details(404, code="model_not_found")
    with pytest.raises(AccountRejected, match=r"Did you mean 'gpt-4\.1-mini'\? Set --refinery-model"):
        Desk([unknown]).ask("gpt-4.1-mni")
    desk = Desk([unknown])
    desk.service.known = []
    with pytest.raises(AccountRejected, match=r"no model 'gpt-4\.1-mni' for this key\. .*Set --refinery-model"):
        desk.ask("gpt-4.1-mni")


def test_a_limit_told_in_a_200_is_a_limit() -> None:
    failed = {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Slow down."}}
    desk = Desk([failed, OK])
    desk.ask()
    assert desk.budget.refusals == [("Slow down.", 0)]


def test_estimates_learn_from_answers() -> None:
    desk = Desk([OK] * 12)
    for _ in range(12):
        desk.ask()
    assert desk.budget.reserved[-1] < desk.budget.reserved[0]
    assert desk.budget.reserved[-1] >= 110


def test_a_local_service_that_says_no_limit_has_none() -> None:
    silent = Desk([OK, OK], unlimited=10**9)
    silent.service.headers = {}
    silent.ask()
    silent.ask()
    assert silent.budget.observed == [{"x-ratelimit-limit-tokens": "1000000000"}, {}]


def test_a_local_service_that_says_a_limit_has_that_one() -> None:
    desk = Desk([OK, OK], unlimited=10**9)
    desk.ask()
    assert desk.budget.observed == [{"x-ratelimit-limit-tokens": "30000"}]


def test_a_service_that_is_left_in_peace_is_said_once() -> None:
    desk = Desk([details(500)] * 9)
    for _ in range(3):
        with pytest.raises(TransientError):
            desk.ask()
    assert [note for note in desk.job.notes if "asked once in a while" in note] == [
        (
            "The service failed again and again: it is asked once in a while from now on (after 15 s, then longer, "
            "up to 120 s). The rules diagnose meanwhile."
        )
    ]


def test_time_that_an_assumed_limit_cost_is_said_with_what_to_set() -> None:
    desk = Desk([OK], budget=RecordingBudget(assumed_limit=30_000))
    desk.ask()
    assert desk.job.notes == [
        (
            "Requests waited for a limit of 30,000 tokens per minute that is only assumed: the service names none. Set "
            "--refinery-tpm to that of the account."
        )
    ]
