from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pytest_refinery.budget.ledger import QueuePosition, Request
from pytest_refinery.budget.ledger_state import PATIENCE, VERSION, YIELDING_MINUTES, State, StateError
from pytest_refinery.budget.window import ASSUMED_TOKENS, Limits, WindowAlgorithm
from pytest_refinery.rate_limit_headers import Observation

LIMITS = Limits(tokens=1000)
YIELDED = YIELDING_MINUTES * LIMITS.minute


class Book:
    """A state with a clock that is set by hand."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.state = State()
        self.limits = limits
        self.now = 1000.0
        self.dead: set[str] = set()
        self._asked: dict[str, Request] = {}

    def poll(self, name: str, tokens: int = 0, *, requests: int = 1, owner: str = "me") -> QueuePosition:
        request = self._asked.get(name) or Request(name, tokens, requests)
        alive = lambda other: other not in self.dead  # noqa: E731
        step = self.state.poll(request, owner=owner, limits=self.limits, now=self.now, is_alive=alive)
        self._asked[name] = replace(request, place=step.place)
        return step

    def settle(self, name: str, tokens: int) -> None:
        self.state.settle(name, tokens, now=self.now)

    def observe(self, seen: Observation, age: float = 0.0) -> None:
        self.state.observe(seen, age=age, limits=self.limits, now=self.now)


def test_what_fits_is_granted_at_once() -> None:
    book = Book()
    assert book.poll("a", 400).is_granted
    assert book.poll("b", 600).is_granted


def test_what_does_not_fit_waits_until_the_oldest_has_left_the_minute() -> None:
    book = Book()
    book.poll("a", 600)
    book.now += 10
    book.poll("b", 400)
    step = book.poll("c", 300)
    assert not step.is_granted
    assert step.start_in == pytest.approx(51.0)


def test_a_small_request_goes_ahead_of_a_large_one_that_it_does_not_delay() -> None:
    book = Book()
    book.poll("a", 600)
    large = book.poll("large", 500)
    assert book.poll("small", 400).is_granted
    assert book.poll("large").start_in == large.start_in


def test_a_small_request_does_not_delay_a_large_one() -> None:
    book = Book()
    book.poll("a", 600)
    book.now += 10
    book.poll("large", 900)
    book.now += YIELDED
    assert not book.poll("small", 101).is_granted
    assert book.poll("smaller", 100).is_granted


def test_of_those_whose_turn_has_just_come_go_those_that_fill_the_minute_best() -> None:
    book = Book()
    book.poll("a", 1000)
    for name, tokens in (("b", 600), ("c", 700), ("d", 300), ("e", 400)):
        book.poll(name, tokens)
    book.state.withdraw("a")
    granted = [name for name in "bcde" if book.poll(name).is_granted]
    assert granted == ["b", "e"]


def test_what_becomes_free_soon_is_given_away_together() -> None:
    book = Book()
    book.poll("a", 500)
    book.now += 2.0
    book.poll("b", 500)
    book.now += 50.0
    for name, tokens in (("small", 400), ("large", 900)):
        book.poll(name, tokens)
    book.now += 9.1
    assert not book.poll("small").is_granted
    book.now += 2.0
    assert book.poll("large").is_granted


def test_a_bucket_has_nothing_beside_the_one_that_waits_for_it() -> None:
    book = Book(Limits(tokens=1000, algorithm=WindowAlgorithm.BUCKET))
    book.poll("a", 600)
    book.poll("large", 500)
    assert not book.poll("small", 1).is_granted


def test_an_early_answer_ends_the_guard_early() -> None:
    book = Book()
    book.poll("a", 1000)
    book.now += 0.02
    book.settle("a", 1000)
    assert book.poll("b", 1000).start_in == pytest.approx(60.0)


def test_what_is_given_back_can_be_used_at_once() -> None:
    book = Book()
    book.poll("a", 900)
    assert not book.poll("b", 500).is_granted
    book.settle("a", 400)
    assert book.poll("b", 500).is_granted


def test_what_was_underestimated_delays_the_next() -> None:
    book = Book()
    book.poll("a", 500)
    book.settle("a", 1000)
    assert not book.poll("b", 500).is_granted


def test_a_withdrawn_lease_gives_everything_back() -> None:
    book = Book(Limits(tokens=1000, requests=1))
    book.poll("a", 1000)
    book.state.withdraw("a")
    assert book.poll("b", 1000).is_granted


def test_requests_are_limited_like_tokens() -> None:
    book = Book(Limits(tokens=1000, requests=2))
    assert book.poll("a", 1).is_granted
    assert book.poll("b", 1).is_granted
    assert book.poll("c", 1).start_in == pytest.approx(61.0)


def test_beside_a_due_ticket_others_start() -> None:
    book = Book()
    book.poll("a", 1000)
    book.poll("sleepy", 600, owner="sleepy")
    book.poll("b", 400)
    book.poll("c", 1)
    book.now += 61.1
    assert book.poll("b").is_granted
    assert not book.poll("c").is_granted
    assert book.poll("sleepy").is_granted


def test_the_share_of_a_ticket_that_was_passed_stays_booked() -> None:
    book = Book()
    book.poll("a", 1000)
    book.poll("sleepy", 600, owner="sleepy")
    book.poll("b", 600)
    book.now += 61.1
    book.poll("b")
    book.now += PATIENCE - 1
    assert not book.poll("b").is_granted


def test_a_ticket_that_does_not_come_when_due_leaves_the_queue_and_may_come_back_to_its_place() -> None:
    book = Book()
    book.poll("a", 1000)
    first = book.poll("sleepy", 600, owner="sleepy").place
    book.poll("b", 600)
    book.now += 61.1
    book.poll("b")
    book.now += PATIENCE + 0.1
    assert book.poll("b").is_granted
    assert book.poll("c", 500).place > first
    assert book.poll("sleepy").place == first
    assert [ticket.id for ticket in book.state.tickets] == ["sleepy", "c"]


def test_whoever_comes_too_late_finds_its_place_again() -> None:
    book = Book()
    book.poll("a", 1000)
    late = book.poll("late", 600, owner="late")
    book.poll("b", 600, owner="other")
    book.now += 61.1
    book.poll("b")
    book.now += PATIENCE + 0.1
    found = book.poll("late")
    assert found.is_granted
    assert found.place == late.place


def test_a_request_that_starts_moves_no_start_that_was_foreseen() -> None:
    book = Book()
    book.poll("small", 300)
    book.state.withdraw("small")
    book.poll("a", 1000)
    book.poll("first", 300, owner="sleepy")
    book.poll("second", 600, owner="sleepy")
    book.poll("third", 200, owner="sleepy")
    book.poll("filler", 100)
    book.state.withdraw("a")
    third = book.poll("third").start_in
    assert book.poll("filler").is_granted
    assert book.poll("third").start_in == pytest.approx(third)


def test_the_place_of_a_dead_process_is_free_at_once() -> None:
    book = Book()
    book.poll("a", 500)
    book.now += 10
    book.poll("dead", 1000, owner="dead")
    book.now += YIELDED
    assert not book.poll("b", 500).is_granted
    book.dead.add("dead")
    assert book.poll("b").is_granted


def test_what_a_dead_process_has_started_counts_for_its_minute() -> None:
    book = Book()
    book.poll("dead", 1000, owner="dead")
    book.dead.add("dead")
    assert not book.poll("a", 1).is_granted
    book.now += 61.1
    assert book.poll("a").is_granted


def test_after_a_refusal_everybody_holds_back() -> None:
    book = Book()
    book.state.limited(7.0, now=book.now)
    assert book.poll("a", 1).start_in == pytest.approx(7.0)
    book.now += 7.0
    assert book.poll("a").is_granted


def test_after_a_refusal_the_guard_is_wider_for_a_while() -> None:
    book = Book()
    book.state.limited(0.0, now=book.now)
    book.poll("a", 1000)
    assert book.poll("b", 1).start_in == pytest.approx(62.0)


def test_a_bucket_is_used_while_it_is_trusted() -> None:
    book = Book(Limits(tokens=1000, algorithm=WindowAlgorithm.TRUSTED_BUCKET))
    book.poll("a", 1000)
    assert book.poll("b", 500).start_in == pytest.approx(31.0, abs=0.01)
    book.state.limited(0.0, now=book.now)
    assert book.poll("b").start_in == pytest.approx(61.0, abs=0.01)
    book.now += 3600
    book.poll("b")
    assert book.poll("c", 1000).start_in == pytest.approx(31.0, abs=0.01)


def test_the_debt_of_a_bucket_outlives_the_entries_that_made_it() -> None:
    book = Book(Limits(tokens=1000, algorithm=WindowAlgorithm.BUCKET, guard=0.0))
    for number in range(10):
        book.now += 0.001
        assert book.poll(f"r{number}", 100).is_granted
    for number in range(10, 100):
        book.now += 6.001
        assert book.poll(f"r{number}", 100).is_granted
    assert len(book.state.charges) < 30
    assert not book.poll("too soon", 100).is_granted


def test_entries_are_kept_for_a_minute_and_a_half() -> None:
    book = Book()
    for number in range(100):
        book.poll(f"r{number}", 1)
        book.now += 5.0
    assert len(book.state.charges) == 19


def test_limits_are_learned_where_none_was_set() -> None:
    book = Book(Limits())
    assert book.state.limits_in_force(book.limits) == (ASSUMED_TOKENS, None)
    book.observe(Observation(limit_tokens=2000, limit_requests=3))
    assert book.state.limits_in_force(book.limits) == (2000, 3)
    assert book.state.limits_in_force(Limits(tokens=7, requests=8)) == (7, 8)


def test_what_others_have_used_is_booked_as_theirs() -> None:
    book = Book()
    book.poll("a", 300)
    book.observe(Observation(limit_tokens=1000, remaining_tokens=200))
    assert book.poll("b", 300).start_in == pytest.approx(60.0)
    assert book.poll("c", 100).place == 3


def test_what_the_service_has_not_seen_yet_is_not_taken_back() -> None:
    book = Book()
    book.poll("a", 900)
    book.observe(Observation(limit_tokens=1000, remaining_tokens=1000))
    assert not book.poll("b", 200).is_granted


def test_what_the_service_has_seen_late_is_not_booked_again() -> None:
    book = Book()
    book.poll("a", 400)
    book.now += 62.0
    book.observe(Observation(remaining_tokens=600))
    assert [charge.owner for charge in book.state.charges] == ["me"]


def test_what_a_service_has_rounded_is_not_booked() -> None:
    book = Book()
    book.poll("a", 400)
    book.observe(Observation(remaining_tokens=598))
    assert len(book.state.charges) == 1


def test_an_old_answer_is_compared_with_what_was_used_then() -> None:
    book = Book()
    book.poll("a", 1000)
    book.now += 70.0
    book.observe(Observation(limit_tokens=1000, remaining_tokens=0), age=20.0)
    assert book.poll("b", 1000).is_granted


def test_an_answer_older_than_half_a_minute_says_nothing_about_what_is_used() -> None:
    book = Book()
    book.observe(Observation(limit_tokens=1000, remaining_tokens=0), age=31.0)
    assert book.poll("a", 1000).is_granted


def test_what_is_above_the_limit_is_refused() -> None:
    book = Book()
    assert book.poll("a", 1001).too_large_for == 1000


def test_what_is_above_an_assumed_limit_waits_for_an_empty_minute() -> None:
    book = Book(Limits())
    book.poll("a", 10)
    step = book.poll("b", ASSUMED_TOKENS * 2)
    assert step.too_large_for is None
    assert step.start_in == pytest.approx(61.0)


def test_the_queue_looks_the_more_seldom_the_longer_it_is() -> None:
    book = Book()
    book.poll("a", 1000)
    looks = [book.poll(f"r{number}", 1).look_in for number in range(1000)]
    assert looks[0] == 0.05
    assert looks == sorted(looks)
    assert looks[-1] == 5.0


def test_a_thousand_tickets_start_in_order() -> None:
    book = Book()
    book.poll("first", 1000)
    for number in range(1000):
        assert not book.poll(f"r{number}", 1).is_granted
    book.now += 61.1
    assert not book.poll("r999").is_granted
    assert all(book.poll(f"r{number}").is_granted for number in range(1000))


def test_the_status_shows_who_uses_and_who_waits() -> None:
    book = Book(Limits(tokens=1000, requests=9))
    book.poll("a", 600, owner="one")
    book.now += 3
    book.settle("a", 700)
    book.poll("b", 200, owner="two")
    book.poll("c", 500, owner="three")
    book.state.limited(2.0, now=book.now)
    status = book.state.status(book.limits, book.now + 1)
    assert (status.used_tokens, status.limit_tokens, status.used_requests, status.limit_requests) == (900, 1000, 2, 9)
    assert (status.workers, status.closed_for, status.is_assumed) == (3, 1.0, False)
    assert [(entry.owner, entry.tokens, entry.is_open) for entry in status.granted] == [
        ("one", 700, False),
        ("two", 200, True),
    ]
    assert [(entry.owner, entry.tokens, entry.seconds) for entry in status.waiting] == [("three", 500, 1.0)]


def test_a_state_is_the_same_after_it_was_written_and_read() -> None:
    book = Book()
    book.poll("a", 600)
    book.poll("b", 600)
    book.state.limited(2.0, now=book.now)
    book.observe(Observation(limit_tokens=5))
    written = json.dumps(book.state.encode())
    again = State.decode(json.loads(written))
    assert json.dumps(again.encode()) == written
    assert again.tickets == book.state.tickets
    assert again.charges == book.state.charges


@pytest.mark.parametrize(
    "written",
    [{}, {"version": VERSION + 1}, {"version": VERSION}, State().encode() | {"charges": [[1, 2]]}, [], None],
    ids=["empty", "later version", "nothing else", "short charge", "list", "null"],
)
def test_anything_else_is_no_state(written: object) -> None:
    with pytest.raises(StateError):
        State.decode(written)  # type: ignore[arg-type]


def test_a_lost_state_counts_as_used_up() -> None:
    book = Book()
    book.state = State.used_up(book.limits, book.now)
    assert book.poll("a", 1).start_in == pytest.approx(60.0)
