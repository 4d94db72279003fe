from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_refinery.expectations.verdicts import CheckFailure
from pytest_refinery.llm.builtin.detectors.checks import checked_calls, failed_checks, first_said, missed_searches
from pytest_refinery.llm.builtin.reading import Reading, Sign
from pytest_refinery.traces.model import Run, Trace
from tests.unit.llm.scenes import Message, agent, case, did, talk, user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ASKS = user("What does the wire cost?")


def found(
    detector: Callable[[Reading], Iterator[Sign]],
    *parts: list[Message],
    run_id: str | None,
    text: str = "",
    argument: str = "",
) -> list[tuple[str, str]]:
    check = "output.not_contains" if text else "output.contains"
    gap = CheckFailure(check=check, expected="another", actual="it", run_id=run_id, text=text, argument=argument)
    signs = detector(Reading.of(case(talk(*parts), expect="The agent names the fee.", failures=(gap,))))
    return [(sign.step.run_id, sign.quote) for sign in signs]


def test_a_failed_check_points_at_the_words_it_objects_to() -> None:
    answer = agent("It is cheap. From now on it is free.")
    said = found(failed_checks, ASKS, answer, text="From now on", run_id="1")
    assert said == [("1", "From now on it is free.")]


def test_what_a_check_must_not_match_is_found_by_its_pattern() -> None:
    answer = agent("It depends. You should sell it.")
    said = found(failed_checks, ASKS, answer, text="You should sell", run_id="1")
    assert said == [("1", "You should sell it.")]


def test_a_failed_check_of_a_whole_run_points_at_its_last_answer() -> None:
    ask = {"messages": [{"role": "user", "content": "The fee?"}]}
    says = {"role": "assistant", "content": "It is 25."}
    runs = (
        Run(id="root", name="agent", kind="chain"),
        Run(id="llm", name="m", kind="llm", parent_id="root", inputs=ask, outputs=says),
    )
    gap = CheckFailure(check="output", expected="another fee", actual="It is 25.", run_id="root")
    (sign,) = failed_checks(Reading.of(case(Trace(id="t", name="t", runs=runs), failures=(gap,))))
    assert (sign.step.run_id, sign.quote) == ("llm", "It is 25.")


def test_a_failed_check_about_another_run_points_at_no_answer() -> None:
    assert found(failed_checks, ASKS, agent("The fee is 25."), run_id="99") == []


def test_a_failed_check_of_a_call_points_at_the_step_that_made_it() -> None:
    call = did("get_fees", {"kind": "domestic"}, {"fee": 25})
    assert found(checked_calls, ASKS, call, agent("25."), run_id="2") == [("1", "get_fees")]
    assert found(checked_calls, ASKS, call, agent("25."), run_id="3") == []
    assert found(failed_checks, ASKS, call, agent("25."), run_id="2") == []


def test_a_failed_check_that_nothing_fails_does_not_blame_the_caller() -> None:
    calling = {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "name": "get_fees", "args": {}}]}
    runs = (
        Run(id="llm", name="m", kind="llm", inputs=[{"role": "user", "content": "The fee?"}], outputs=calling),
        Run(id="tool", name="get_fees", kind="tool", error="TimeoutError: 30 s"),
    )
    trace = Trace(id="t", name="t", runs=runs)
    gap = CheckFailure(check="errors", expected="no failed run", actual="1: 'TimeoutError: 30 s'", run_id="tool")
    assert list(checked_calls(Reading.of(case(trace, failures=(gap,))))) == []
    other = replace(gap, actual="get_fees({})")
    assert [sign.step.run_id for sign in checked_calls(Reading.of(case(trace, failures=(other,))))] == ["llm"]


def test_a_wrong_figure_is_led_back_to_where_the_agent_first_said_it() -> None:
    parts = (ASKS, agent("It costs 1,842.60 USD."), user("Sure?"), agent("Yes. Pay 1,842.60 USD today."))
    assert found(first_said, *parts, text="1,842.60 USD", run_id="3") == [("1", "It costs 1,842.60 USD.")]


def test_a_wrong_figure_that_the_user_gave_is_not_the_agents() -> None:
    parts = (user("Does it cost 1,842.60 USD?"), agent("Yes. Pay 1,842.60 USD today."))
    assert found(first_said, *parts, text="1,842.60 USD", run_id="1") == []


ARTICLE = did("search_articles", {"query": "wire"}, [{"title": "Wires", "text": "A wire costs 25.00 USD. It is fast."}])
WANTED = "45.00 USD"


def test_a_search_without_what_was_expected_has_missed() -> None:
    missed = found(missed_searches, ASKS, ARTICLE, agent("25.00 USD."), argument=WANTED, run_id="3")
    assert missed == [("2", "A wire costs 25.00 USD.")]


def test_a_search_that_found_it_has_not_missed() -> None:
    other = did("search_articles", {"query": "abroad"}, [{"text": "Abroad it costs 45.00 USD."}])
    assert found(missed_searches, ASKS, ARTICLE, other, agent("25.00 USD."), argument=WANTED, run_id="5") == []


def test_without_any_search_nothing_was_missed() -> None:
    assert found(missed_searches, ASKS, agent("25.00 USD."), argument=WANTED, run_id="1") == []
