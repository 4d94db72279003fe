"""The page about cassettes shows what is really written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_refinery.cassettes import bodies, cassette_file, differences, interactions
from pytest_refinery.cassettes.bodies import Body
from pytest_refinery.cassettes.interactions import Request
from pytest_refinery.cassettes.tape import Mode

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "cassettes.md").read_text("utf-8")


def _block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_example_is_a_cassette_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(_block("yaml"))

    found = cassette_file.load(tmp_path / "c.yaml")

    assert found is not None
    written = cassette_file.written(
        found, about="memory.refinery.yaml::admits-it-cannot-remember", recorded_against="api.openai.com"
    )
    assert written == _block("yaml")


def test_the_example_of_a_difference_is_what_is_said() -> None:
    def request(last: str) -> Request:
        text = "\n".join([*map(str, range(13)), last])
        body: Body = Body("json", {"input": [{}, {"content": [{"text": text}]}]})
        return Request("POST", "https://api.openai.com/v1/responses", "application/json", body)

    said = differences.explained(
        request("Answer at length."),
        [request("Answer briefly.")],
        about="memory.refinery.yaml::says-so",
        path=Path("cassettes/memory.refinery.yaml/says-so.yaml"),
        exists=True,
    )

    assert _block("text") == f"{said}\n"


@pytest.mark.parametrize(
    "name", [*bodies.KINDS[1:], *Mode, *sorted(interactions.KEPT_HEADERS), *sorted(interactions.SHORTENED_WAITS)]
)
def test_every_kind_mode_and_header_is_named(name: str) -> None:
    assert f"`{name}`" in PAGE
