from __future__ import annotations

from pytest_refinery.llm.builtin import places
from pytest_refinery.llm.builtin.reading import Reading
from tests.unit.llm.scenes import agent, case, did, speaks, talk, user


def test_a_desk_knows_changes_and_answers() -> None:
    rows = places.features(Reading.of(case(talk(user("Go."), did("update_order", {}, "ok"), agent("Done.")))))
    assert [set(row) & {"desk:change", "desk:answer"} for row in rows] == [
        set(),
        {"desk:change"},
        set(),
        {"desk:answer"},
    ]


def test_a_team_knows_openings_and_who_speaks_first() -> None:
    code = "```python\nprint(1)\n```"
    rows = places.features(
        Reading.of(
            case(talk(agent(code, "A"), agent(code, "B"), speaks("Computer_terminal", "exitcode: 0"), agent("x", "A")))
        )
    )
    assert {"team:opening with code", "team:first words"} <= set(rows[0])
    assert {"team:code", "team:ran", "team:first words"} <= set(rows[1])
    assert set(rows[2]) == {"role:tool"}
    assert "team:first words" not in rows[3]
    assert rows[3]["team:late"] > rows[1]["team:late"]


def test_a_led_team_knows_orders_thoughts_and_the_first_worker() -> None:
    rows = places.features(
        Reading.of(
            case(
                talk(
                    speaks("human", "Find it."),
                    speaks("Leader (thought)", "Plan."),
                    speaks("Leader (-> Searcher)", "Search."),
                    speaks("Searcher", "Found."),
                    speaks("Searcher", "Found more."),
                )
            )
        )
    )
    named = {"led:thought", "led:order", "led:worker", "led:first worker"}
    assert [set(row) & named for row in rows[1:]] == [
        {"led:thought"},
        {"led:order"},
        {"led:worker", "led:first worker"},
        {"led:worker"},
    ]
