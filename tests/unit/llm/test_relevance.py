from __future__ import annotations

from pytest_refinery.llm.builtin.detectors.relevance import expected_topics, off_topic_starts
from tests.unit.llm.scenes import agent, signs, user

MEMORY = "The agent says that it cannot keep preferences between conversations."


def test_the_answer_that_speaks_of_what_is_expected_is_found() -> None:
    found = signs(
        expected_topics,
        user("Hello."),
        agent("Hello, how can I help?"),
        user("Leave them out."),
        agent("I keep your preferences for all conversations."),
        expect=MEMORY,
    )
    assert found == [("3", "expected_topic")]


QUESTION = "The team answers correctly: What did the Orion probe weigh at launch in 2014, in kilograms, without fuel?"


def test_work_on_an_error_in_place_of_the_task_is_found() -> None:
    start = agent("# Task\nexitcode: 1 (execution failed)\nFind out why.", "Debugger")
    assert signs(off_topic_starts, start, agent("Let us debug.", "Coder")) == [("0", "off_topic_start")]


def test_work_on_another_question_is_found() -> None:
    start = agent("We shall sort a list of even numbers.", "Planner")
    assert signs(off_topic_starts, start, agent("Sorted.", "Coder"), expect=QUESTION) == [("0", "off_topic_start")]


def test_work_on_the_question_is_fine() -> None:
    start = agent(
        "We shall find what the Orion probe weighed at launch in 2014, in kilograms, without its fuel.", "Planner"
    )
    assert signs(off_topic_starts, start, agent("Found.", "Coder"), expect=QUESTION) == []


def test_a_general_expectation_says_nothing_about_the_topic() -> None:
    start = agent("We shall sort a list of even numbers.", "Planner")
    general = "The team works carefully, verifies its intermediate results and gives a complete answer."
    assert signs(off_topic_starts, start, agent("Sorted.", "Coder"), expect=general) == []


def test_an_agent_that_a_user_speaks_to_first_cannot_start_off_topic() -> None:
    assert signs(off_topic_starts, user("Sort this."), agent("Sorted."), expect=QUESTION) == []
