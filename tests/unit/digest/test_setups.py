from __future__ import annotations

from pytest_refinery.digest.message_store import MessageStore
from pytest_refinery.digest.setups import Setup, Setups, divided
from pytest_refinery.traces.model import Run

SEARCH = {"name": "search", "parameters": {"properties": {"q": {"type": "string"}}, "required": ["q"]}}
NOW = {"name": "now", "parameters": {}}


def test_a_setup_is_explained_where_it_is_new() -> None:
    setups = Setups(MessageStore())
    first = setups.add({"model": "m", "temperature": None, "tools": [SEARCH, NOW]})
    assert first == Setup(
        "c1", ('c1 {"model":"m"} tools t1-t2', "t1 search(q: string)", "t2 now()"), has_new_tools=True
    )
    assert setups.add({"model": "m", "tools": [SEARCH, NOW]}) == Setup("c1")


def test_a_known_tool_is_not_explained_again() -> None:
    setups = Setups(MessageStore())
    setups.add({"tools": [SEARCH, NOW]})
    assert setups.add({"model": "m", "tools": [NOW]}) == Setup("c2", ('c2 {"model":"m"} tools t2',))


def test_a_call_without_settings_has_no_setup() -> None:
    assert Setups(MessageStore()).add({"temperature": None}) == Setup()


def test_settings_among_the_inputs_are_taken_out_of_them() -> None:
    run = Run(id="1", name="model", kind="llm", settings={"temperature": 0})
    assert divided(run, {"model": "m", "question": "Why?"}) == ({"temperature": 0, "model": "m"}, {"question": "Why?"})
    assert divided(run, {"model": "m"}) == ({"temperature": 0, "model": "m"}, None)
    assert divided(run, "Why?") == ({"temperature": 0}, "Why?")
