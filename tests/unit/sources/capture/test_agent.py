"""How agents are found and called."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.errors import AgentError
from pytest_refinery.sources.capture import agent as agents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Called = Callable[[str, object], object]

WHAT_FITS = "Give the expectation 'inputs:' that fit, or name a function that takes these."
TAKES = "(question, language='en')"
WHAT_TO_NAME = "name a function, or an object with a method invoke or ainvoke, such as a compiled graph."
SHOP = """\
import asyncio
import functools

def answer(question: str, language: str = "en") -> str:
    return f"{question} ({language})"

def whole(state):
    state["seen"] = True
    return state

def anything(**inputs):
    return sorted(inputs)

def nothing():
    return "done"

async def later(question):
    await asyncio.sleep(0)
    return f"later: {question}"

def awaitable(question):
    return later(question)

def stream(question):
    yield question
    yield "!"

async def stream_later(question):
    for part in (question, "?"):
        yield part

def numbers(question):
    yield from (1, 2)

def listed(question):
    return ["a", "b"]

def lazy(question):
    import shop_helper
    return shop_helper.help(question)

class Agent:
    def invoke(self, inputs, config=None):
        return {"invoked": inputs}
    async def ainvoke(self, inputs, config=None):
        return {"awaited": inputs}
    def __call__(self, question):
        raise AssertionError

class OnlyLater:
    async def ainvoke(self, inputs):
        return {"awaited": inputs}

class Callable:
    def __call__(self, question):
        return f"called: {question}"

class Wrapped:
    answer = staticmethod(answer)

agent, only_later, callable_, wrapped = Agent(), OnlyLater(), Callable(), Wrapped()
partial = functools.partial(answer, language="de")
price = 3
"""


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "shop_agents.py").write_text(SHOP, encoding="utf-8")
    (tmp_path / "shop_helper.py").write_text(
        "def help(question):\n    return f'helped: {question}'\n", encoding="utf-8"
    )
    yield tmp_path
    for name in ("shop_agents", "shop_helper"):
        sys.modules.pop(name, None)


@pytest.fixture
def called(suite: Path) -> Called:
    def called(name: str, inputs: object) -> object:
        return agents.load(f"shop_agents:{name}", import_from=(suite,)).call(inputs)()

    return called


@pytest.mark.parametrize(
    ("name", "inputs", "output"),
    [
        ("answer", {"question": "Where?"}, "Where? (en)"),
        ("answer", {"question": "Wo?", "language": "de"}, "Wo? (de)"),
        ("answer", "Where?", "Where? (en)"),
        ("partial", {"question": "Wo?"}, "Wo? (de)"),
        ("wrapped.answer", {"question": "Where?"}, "Where? (en)"),
        ("whole", {"messages": []}, {"messages": [], "seen": True}),
        ("anything", {"b": 1, "a": 2}, ["a", "b"]),
        ("nothing", {}, "done"),
        ("later", {"question": "Where?"}, "later: Where?"),
        ("awaitable", {"question": "Where?"}, "later: Where?"),
        ("stream", {"question": "Where"}, "Where!"),
        ("stream_later", {"question": "Where"}, "Where?"),
        ("numbers", {"question": "Where"}, [1, 2]),
        ("listed", {"question": "Where"}, ["a", "b"]),
        ("lazy", {"question": "Where"}, "helped: Where"),
        ("agent", {"question": "Where?"}, {"invoked": {"question": "Where?"}}),
        ("agent.ainvoke", {"question": "Where?"}, {"awaited": {"question": "Where?"}}),
        ("only_later", {"question": "Where?"}, {"awaited": {"question": "Where?"}}),
        ("callable_", {"question": "Where?"}, "called: Where?"),
    ],
)
def test_an_agent_is_called_the_way_it_wants_to_be(called: Called, name: str, inputs: object, output: object) -> None:
    assert called(name, inputs) == output


def test_inputs_stay_as_they_are_for_the_next_trial(suite: Path) -> None:
    inputs = {"messages": ["hello"]}
    call = agents.load("shop_agents:whole", import_from=(suite,)).call(inputs)
    assert [call(), call()] == [{"messages": ["hello"], "seen": True}] * 2
    assert inputs == {"messages": ["hello"]}


@pytest.mark.parametrize(
    ("name", "inputs", "said"),
    [
        ("anwser", {}, "the module shop_agents has no 'anwser'. Did you mean 'answer'?"),
        ("Agent", {}, f"it is a class; {WHAT_TO_NAME}"),
        ("price", {}, f"it is no callable but int; {WHAT_TO_NAME}"),
        (
            "answer",
            {"qestion": "Where?"},
            f"it takes {TAKES}, which the inputs qestion do not fit. Did you mean 'question'? {WHAT_FITS}",
        ),
        (
            "answer",
            {"question": "Where?", "tone": "kind"},
            f"it takes {TAKES}, which the inputs question, tone do not fit. {WHAT_FITS}",
        ),
        ("nothing", "Where?", f"it takes (), which one value does not fit. {WHAT_FITS}"),
    ],
)
def test_what_cannot_be_called_is_said_before_it_is_called(
    called: Called, name: str, inputs: object, said: str
) -> None:
    with pytest.raises(AgentError) as caught:
        called(name, inputs)
    assert str(caught.value) == f"agent: shop_agents:{name}: {said}"


def test_a_module_that_is_not_there_is_compared_with_those_that_are(suite: Path) -> None:
    with pytest.raises(AgentError, match=r"no module 'shop_agent' in .* Did you mean 'shop_agents'\?"):
        agents.load("shop_agent:answer", import_from=(suite,))


def test_the_event_loop_of_the_thread_is_left_alone(called: Called) -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        called("later", {"question": "Where?"})
        assert asyncio.get_event_loop_policy().get_event_loop() is loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def test_inside_a_running_loop_the_way_out_is_said(called: Called) -> None:
    async def notebook() -> None:
        called("later", {"question": "Where?"})

    with pytest.raises(AgentError, match="an event loop is already running"):
        asyncio.run(notebook())


def test_graphs_are_invoked_or_awaited_as_their_steps_can_be() -> None:
    messages = {"messages": [{"role": "user", "content": "Where is order 7?"}]}
    for name in ("graph", "async_graph"):
        output = agents.load(f"tests.traced_agents:{name}", import_from=()).call(messages)()
        assert isinstance(output, dict)
        assert output["messages"][-1].content == "It ships tomorrow."


def test_what_the_agent_raises_is_raised(suite: Path) -> None:
    (suite / "shop_agents.py").write_text(
        textwrap.dedent(SHOP) + "\ndef broken(question):\n    raise KeyError(question)\n"
    )
    with pytest.raises(KeyError, match="Where"):
        agents.load("shop_agents:broken", import_from=(suite,)).call({"question": "Where?"})()
