from __future__ import annotations

from pytest_refinery.llm.builtin.detectors.answers import invented_data, origins
from tests.unit.llm.scenes import agent, signs, speaks, user

TASK = agent("Find the population of the town and answer with a number.", "Planner")


def test_made_up_data_is_found() -> None:
    assert signs(invented_data, TASK, agent("Let us assume a population of 9000.", "Solver")) == [
        ("1", "invented_data")
    ]
    assert signs(invented_data, TASK, agent("The register says 9000.", "Solver")) == []


def test_the_answer_is_led_back_to_where_it_first_stands() -> None:
    found = signs(
        origins,
        TASK,
        agent("The register lists 8123 people.", "Solver"),
        agent("I agree with that.", "Checker"),
        agent("The population of the town is 8123, as was found and checked.", "Planner"),
    )
    assert found == [("1", "origin_of_answer")]


def test_what_a_program_printed_is_led_back_to_its_author() -> None:
    found = signs(
        origins,
        TASK,
        agent("```python\nprint(4061 * 2)\n```", "Coder"),
        speaks("Computer_terminal", "exitcode: 0 (execution succeeded)\nCode output: 8122"),
        agent("The population of the town is 8122, says the program.", "Planner"),
    )
    assert found == [("1", "origin_of_answer")]


def test_a_conversation_with_a_user_has_no_final_answer() -> None:
    assert signs(origins, user("How many?"), agent("The population of the town is 8123, as was found.")) == []
