"""Which requests a cassette answers, which it adds, and what it says about the rest."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.cassettes.tape import Mode, Tape
from pytest_refinery.errors import CassetteMissError
from pytest_refinery.scrubbing.scrubber import Scrubber
from tests.unit.cassettes.exchanges import answered, asked, exchange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.cassettes.interactions import Interaction

_OLD = [exchange({"n": 1}, "one"), exchange({"n": 2}, "two")]


def _tape(mode: str, old: Sequence[Interaction] | None = _OLD) -> Tape:
    return Tape(Path("c.yaml"), Mode(mode), about="a::b", old=old, scrubber=Scrubber())


@pytest.mark.parametrize("mode", ["none", "once", "new_episodes"])
def test_recorded_requests_are_answered_in_any_order(mode: str) -> None:
    tape = _tape(mode)

    assert tape.answer(asked({"n": 2})) == answered("two")
    assert tape.answer(asked({"n": 1})) == answered("one")
    assert (tape.played, tape.unused) == (2, ())


@pytest.mark.parametrize("mode", ["none", "once"])
def test_others_are_an_error_that_is_kept(mode: str) -> None:
    tape = _tape(mode)

    for _ in range(2):
        with pytest.raises(CassetteMissError, match=r"a::b: POST .* is not in c\.yaml\..* \$\.n is 1 and now 3\."):
            tape.answer(asked({"n": 3}))

    assert tape.is_replaying
    assert [str(each).partition(" is not")[0] for each in tape.misses] == [
        "a::b: POST https://api.example.com/v1/responses"
    ]
    assert not tape.is_to_be_written


def test_without_a_cassette_nothing_is_sent_in_none() -> None:
    tape = _tape("none", None)

    with pytest.raises(CassetteMissError, match=r"there is no cassette c\.yaml"):
        tape.answer(asked({"n": 1}))


@pytest.mark.parametrize(
    ("mode", "old"), [("once", None), ("new_episodes", None), ("new_episodes", _OLD), ("all", _OLD)]
)
def test_what_is_not_there_is_to_be_sent(mode: str, old: Sequence[Interaction] | None) -> None:
    tape = _tape(mode, old)

    assert tape.answer(asked({"n": 3})) is None
    assert not tape.is_replaying
    assert tape.misses == ()


def test_new_episodes_are_added_to_the_old_ones() -> None:
    tape = _tape("new_episodes")

    tape.record(tape.order(), exchange({"n": 3}, "three"))

    assert tape.interactions == (*_OLD, exchange({"n": 3}, "three"))
    assert tape.is_to_be_written


def test_all_sends_what_is_recorded_too_and_forgets_what_was_not_asked_for() -> None:
    tape = _tape("all")

    assert tape.answer(asked({"n": 1})) is None
    tape.record(tape.order(), exchange({"n": 1}, "one again"))

    assert tape.interactions == (exchange({"n": 1}, "one again"),)
    assert tape.unused == ()


def test_nothing_is_written_where_nothing_was_recorded_or_it_was_discarded() -> None:
    tape = _tape("all")
    assert not tape.is_to_be_written

    tape.record(1, exchange({}, {}))
    tape.discard()

    assert not tape.is_to_be_written


def test_equal_requests_are_answered_in_the_order_of_their_recording() -> None:
    tape = _tape("none", [exchange(None, "in progress"), exchange(None, "in progress"), exchange(None, "completed")])

    said = [tape.answer(asked()) for _ in range(3)]

    assert said == [answered("in progress"), answered("in progress"), answered("completed")]
    with pytest.raises(CassetteMissError, match="was recorded 3 times"):
        tape.answer(asked())


def test_what_was_never_asked_for_is_listed() -> None:
    tape = _tape("none", [*_OLD, exchange(None, "x", url="https://api.example.com/v1/files")])
    tape.answer(asked({"n": 1}))

    assert tape.unused == (
        "POST https://api.example.com/v1/responses (request 2 of the cassette)",
        "POST https://api.example.com/v1/files (request 3 of the cassette)",
    )


def test_recordings_are_kept_in_the_order_in_which_they_were_asked_for() -> None:
    tape = _tape("all")
    first, second = tape.order(), tape.order()

    tape.record(second, exchange("b", {}))
    tape.record(first, exchange("a", {}))

    assert tape.interactions == (exchange("a", {}), exchange("b", {}))
    assert tape.recorded == 2


def test_no_answer_is_given_twice_to_threads_that_ask_the_same() -> None:
    tape = _tape("none", [exchange(None, number) for number in range(200)])
    start = threading.Barrier(8)

    def ask(_: int) -> list[object]:
        start.wait()
        return [tape.answer(asked()) for _ in range(25)]

    with ThreadPoolExecutor(8) as pool:
        answers = [each for found in pool.map(ask, range(8)) for each in found]

    assert {each.body.value for each in answers if each} == set(range(200))  # type: ignore[attr-defined]
