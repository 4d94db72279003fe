"""What is told of the cassettes of a run."""

from __future__ import annotations

from pytest_refinery.analysis import cassette_records
from pytest_refinery.analysis.cassette_records import CassetteRecord


def record(nodeid: str = "a::one", *, played: int = 0, recorded: int = 0, **more: object) -> CassetteRecord:
    return CassetteRecord.model_validate(
        {"nodeid": nodeid, "path": "cassettes/a/one.yaml", "played": played, "recorded": recorded, **more}
    )


def test_one_line_counts_items() -> None:
    found = [
        record(played=3),
        record(played=1),
        record(recorded=4),
        record(played=2, recorded=1),
        record(recorded=2, trouble="It could not be written."),
        record(),
    ]
    assert cassette_records.headline(found) == "2 replayed at no cost, 2 recorded, 1 not written"


def test_where_none_was_used_nothing_is_said() -> None:
    assert cassette_records.headline([record()]) == ""
    assert not list(cassette_records.problems([record()]))


def test_problems_are_told_in_the_order_of_the_items() -> None:
    found = [
        record("b::two", recorded=1, trouble="The folder is not there."),
        record("a::one", played=1, unused=("GET /1", "GET /2")),
    ]
    assert list(cassette_records.problems(found)) == [
        "a::one did not ask for everything that is in cassettes/a/one.yaml: GET /1; GET /2",
        "The folder is not there.",
    ]
