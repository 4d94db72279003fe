"""What is said about a request that is not in the cassette."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_refinery.cassettes import differences
from pytest_refinery.cassettes.bodies import Body
from tests.unit.cassettes.exchanges import asked

_ABOUT = "a.refinery.yaml::says so"
_COMMAND = "pytest --refinery --refinery-record=all 'a.refinery.yaml::says so'"
_URL = "https://api.example.com/v1/responses"


def _explained(request: object, *recorded: object, exists: bool = True) -> str:
    return differences.explained(
        asked(request), [asked(each) for each in recorded], about=_ABOUT, path=Path("c.yaml"), exists=exists
    )


def test_without_a_cassette_that_is_what_is_said() -> None:
    assert _explained({}, exists=False) == (
        f"{_ABOUT}: there is no cassette c.yaml that could answer POST {_URL}. Record it: {_COMMAND}"
    )


def test_an_empty_cassette_is_named_so() -> None:
    assert _explained({}) == (
        f"{_ABOUT}: POST {_URL} is not in c.yaml, which holds no request. If that was meant to change, record again: "
        f"{_COMMAND}"
    )


def test_a_request_that_was_recorded_less_often_is_counted() -> None:
    assert f"POST {_URL} was recorded 2 times in c.yaml and is asked for once more." in _explained({}, {}, {}, {"a": 1})
    assert "was recorded once in" in _explained({}, {})


def test_the_first_difference_to_the_closest_request_is_shown() -> None:
    text = "\n".join(f"line {number}" for number in range(1, 20))
    body = {"input": [{"content": [{"text": "x"}]}, {"content": [{"text": text}]}], "model": "m"}
    now = {
        "input": [{"content": [{"text": "x"}]}, {"content": [{"text": text.replace("line 14", "line XIV")}]}],
        "model": "m",
    }

    message = _explained(now, {"model": "m"}, body, {"input": []})

    assert message == (
        f"{_ABOUT}: POST {_URL} is not in c.yaml. In the closest recorded request, $.input[1].content[0].text: line 14 "
        f"is 'line 14' and now 'line XIV'. If that was meant to change, record again: {_COMMAND}"
    )


@pytest.mark.parametrize(
    ("recorded", "now", "difference"),
    [
        ({"a": 1}, {"a": 2}, "$.a is 1 and now 2"),
        ({"a": 1}, {"a": True}, "$.a is 1 and now true"),
        ({"a": None}, {}, "$.a is null and now absent"),
        ({}, {"b": [1]}, "$.b is absent and now a list"),
        ({"a": [1, 2]}, {"a": [1]}, "$.a[1] is 2 and now absent"),
        ({"a": {"b": {}}}, {"a": {"b": "c"}}, "$.a.b is a mapping and now 'c'"),
        ("one", "two", "$ is 'one' and now 'two'"),
        ("one\ntwo", "one", "$: line 2 is 'two' and now absent"),
        (["x" * 100 + "a"], ["x" * 100 + "b"], f"$[0] is '...{'x' * 30}a' and now '...{'x' * 30}b'"),
        ("a" * 100, "b", f"$ is '{'a' * 60}...' and now 'b'"),
        (Body("text", "x"), {"a": 1}, "its body is text and now json"),
    ],
)
def test_a_difference_names_its_place_and_both_sides(recorded: object, now: object, difference: str) -> None:
    assert differences.first_difference(asked(recorded), asked(now)) == difference


def test_another_method_or_address_is_named_first() -> None:
    assert differences.first_difference(asked(url="https://x/a"), asked(url="https://x/b")) == "it is POST https://x/a"
    assert differences.first_difference(asked(method="GET"), asked(method="POST")) == f"it is GET {_URL}"


def test_the_closest_request_has_the_same_method_and_address_if_any_has() -> None:
    request = asked({"a": 1, "b": 2})
    alike, elsewhere = asked({"a": 1}), asked({"a": 1, "b": 2}, url="https://api.example.com/v1/files")

    assert differences.closest(request, [elsewhere, alike]) == alike
    assert differences.closest(request, [elsewhere]) == elsewhere
    assert differences.closest(request, []) is None
