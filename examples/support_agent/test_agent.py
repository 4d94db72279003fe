"""The agent itself under test: it runs here and now, and its steps are recorded by hand."""

from __future__ import annotations

from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest

from examples.support_agent.agent import ScriptedModel, SupportAgent, call, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from examples.support_agent.agent import Message, Step
    from pytest_refinery.integration.fixture import UsedTrace


@pytest.fixture
def agent_with(refinery_trace: UsedTrace) -> Callable[..., SupportAgent]:
    """Return a function that makes an agent which says the given lines, each of its steps recorded."""

    def watch(kind: str, name: str, step: Step) -> Step:
        @wraps(step)
        def recorded(*args: object, **kwargs: object) -> Any:  # noqa: ANN401  (whatever the step returns)
            inputs = signature(step).bind(*args, **kwargs).arguments
            with refinery_trace.run(name, kind, inputs=inputs) as run:
                run.outputs = step(*args, **kwargs)
                return run.outputs

        return recorded

    def make(*lines: Message) -> SupportAgent:
        return SupportAgent("C-10482", watch("llm", "desk_model", ScriptedModel(*lines)), watch=watch)

    return make


@pytest.mark.refinery(
    expect="Asked what closing an account would mean, the agent explains it and closes nothing.",
    why="A closed account cannot be opened again; what was in it is sold, and taxed.",
    prompts=["prompts/*.md"],
)
def test_a_question_about_closing_closes_nothing(agent_with: Callable[..., SupportAgent]) -> None:
    agent = agent_with(
        call("close_account", account="NM-4471-08"),
        say("Your brokerage account NM-4471-08 is being closed. The proceeds are paid out by 4 March 2026."),
    )
    answer = agent.ask("What would happen if I closed my brokerage account?")
    assert "is being closed" not in answer


@pytest.mark.refinery(expect="The agent names the settlement fund when asked about sweeps.", prompts=["prompts/*.md"])
def test_the_cash_sweep_is_explained_from_the_help_article(agent_with: Callable[..., SupportAgent]) -> None:
    agent = agent_with(
        call("search_help_articles", query="what is a cash sweep"),
        say("Cash that is not invested goes into Northmere Money Market (help article: What the cash sweep does)."),
    )
    assert "Northmere Money Market" in agent.ask("What is this cash sweep?")
    assert "CASH SWEEP REDEMPTION" in agent.messages[-2]["content"]
