"""The same run gives the same cassette, whatever ids and times a service invents and whoever answers first."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.cassettes import normalize
from pytest_refinery.cassettes.bodies import Body
from tests.unit.cassettes.exchanges import exchange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.cassettes.interactions import Interaction
    from pytest_refinery.traces.model import Json

_FILES, _STORES = "https://api.example.com/v1/files", "https://api.example.com/v1/vector_stores"


def _id(prefix: str, rnd: random.Random) -> str:
    return prefix + "".join(rnd.choices("0123456789abcdefABCDEF", k=24))


def _run(seed: int) -> list[Interaction]:
    """Two uploads at once, a store of them, two answers at once; ids and times are new each time."""
    rnd = random.Random(seed)  # noqa: S311
    first, second, store = _id("file-", rnd), _id("file-", rnd), _id("vs_", rnd)
    uploads = [
        exchange({"content": name}, {"object": "file", "id": file, "created_at": 1_700_000_000 + seed}, url=_FILES)
        for name, file in (("a", first), ("b", second))
    ]
    filling = exchange(
        {"files": [first, second]}, {"object": "vector_store", "id": store, "expires_at": 5}, url=_STORES
    )
    answers = [
        exchange(
            {"q": word, "store": store},
            {
                "object": "response",
                "id": _id("resp_", rnd),
                "output": [{"id": _id("msg_", rnd), "text": f"see {file}"}],
            },
        )
        for word, file in (("one", first), ("two", second))
    ]
    rnd.shuffle(uploads)
    rnd.shuffle(answers)
    return [*uploads, filling, *answers]


def _said(interactions: Sequence[Interaction]) -> list[tuple[str, Any]]:
    return [(each.request.text, each.response.body.value) for each in interactions]


def test_recordings_of_the_same_run_are_the_same() -> None:
    recordings = [_said(normalize.stabilize_ids(_run(seed))) for seed in range(20)]

    assert all(each == recordings[0] for each in recordings)


def test_ids_are_numbered_and_the_same_in_every_text() -> None:
    found = {each.request.url: each for each in normalize.stabilize_ids(_run(1))}

    assert found[_STORES].request.body.value == {"files": ["file-0001", "file-0002"]}
    answer = found["https://api.example.com/v1/responses"]
    assert answer.request.body.value == {"q": "two", "store": "vs_0001"}
    assert answer.response.body.value == {
        "object": "response",
        "id": "resp_0002",
        "output": [{"id": "msg_0002", "text": "see file-0002"}],
    }


def test_times_become_fixed_ones() -> None:
    found = {each.request.url: each.response.body.value for each in normalize.stabilize_ids(_run(1))}

    assert found[_FILES] == {"object": "file", "id": "file-0002", "created_at": 1_577_836_800}
    assert found[_STORES] == {"object": "vector_store", "id": "vs_0001", "expires_at": 4_102_444_800}


def test_what_has_been_settled_stays_as_it_is() -> None:
    once = normalize.stabilize_ids(_run(1))

    assert normalize.stabilize_ids(once) == once


def test_numbers_go_on_after_those_that_are_taken() -> None:
    old = normalize.stabilize_ids(_run(1))

    found = normalize.stabilize_ids(
        [*old, exchange({"content": "c"}, {"object": "file", "id": "file-abcdefghijkl"}, url=_FILES)]
    )

    assert [each.response.body.value["id"] for each in found if each.request.url == _FILES] == [  # type: ignore[call-overload,index]
        "file-0001",
        "file-0002",
        "file-0003",
    ]


def test_an_id_is_found_wherever_it_stands_in_a_text() -> None:
    given = "file-0123456789abcdef"
    shown = exchange({}, {"object": "file", "id": given}, url=_FILES)
    asked = exchange({"say": f"these:\n{given}\t{given}, (x{given})", given: 1}, {})

    found = normalize.stabilize_ids([shown, asked])

    assert [each.request.body.value for each in found] == [
        {},
        {"say": "these:\nfile-0001\tfile-0001, (xfile-0001)", "file-0001": 1},
    ]


def test_an_id_that_the_user_gave_stays() -> None:
    given = "vs_0123456789abcdef"
    shown = exchange(None, {"object": "vector_store", "id": given}, url=f"{_STORES}/{given}")

    assert normalize.stabilize_ids([shown]) == [shown]


def test_an_id_that_was_asked_with_before_it_was_given_out_stays() -> None:
    given = "file-0123456789abcdef"
    asked = exchange({"file": given}, {})
    shown = exchange({}, {"object": "file", "id": given}, url=_FILES)

    assert shown in normalize.stabilize_ids([asked, shown])


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "cus_0123456789abcdef", "object": "customer", "created": 1_700_000_000},
        {"object": "list", "data": [{"id": "cus_0123456789abcdef", "object": "customer"}]},
        {"id": "run-0123456789abcdef", "start_time": 1_700_000_000},
        [{"id": "ord_0123456789abcdef", "created_at": 1_700_000_000}],
    ],
)
def test_objects_of_other_services_are_data(answer: object) -> None:
    one = exchange({}, answer)

    assert normalize.stabilize_ids([one]) == [one]


def test_ids_in_streams_are_numbered_too() -> None:
    started: Json = {"type": "response.created", "response": {"id": "resp_0123456789abcdef", "created_at": 7}}
    ended: Json = {"type": "response.output_text.done", "item_id": "msg_0123456789abcdef", "text": "Hi"}
    stream = exchange({}, Body("events", [{"data": started}, {"data": ended}]))

    (found,) = normalize.stabilize_ids([stream])

    assert found.response.body.value == [
        {"data": {"type": "response.created", "response": {"id": "resp_0001", "created_at": 7}}},
        {"data": {"type": "response.output_text.done", "item_id": "msg_0001", "text": "Hi"}},
    ]


def test_equal_requests_stay_in_the_order_in_which_they_were_asked() -> None:
    polls = [exchange(None, {"status": status}) for status in ("in_progress", "in_progress", "completed")]
    others = [exchange({"n": number}, {}) for number in range(2)]
    expected = normalize.stabilize_ids([*polls, *others])

    for places in list(permutations(range(5)))[::7]:
        mixed = [[*polls, *others][place] for place in places]
        in_order = iter(polls)
        kept = [next(in_order) if each in polls else each for each in mixed]
        assert normalize.stabilize_ids(kept) == expected


def test_bytes_are_left_alone() -> None:
    one = exchange(Body("base64", "AAAA"), {"object": "file", "id": "file-0123456789abcdef"})

    (found,) = normalize.stabilize_ids([one])

    assert found == replace(one, response=found.response)
