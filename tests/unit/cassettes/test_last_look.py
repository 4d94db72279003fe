"""A cassette in which something secret may be left is refused, and what it is is not said."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import pytest

from pytest_refinery.cassettes import scrubbing
from pytest_refinery.cassettes.bodies import Body
from pytest_refinery.cassettes.interactions import Interaction, Response
from pytest_refinery.errors import CassetteError
from pytest_refinery.scrubbing import environment
from tests.unit.cassettes.exchanges import answered, asked, exchange

VALUE = "correct horse battery staple"
KEY = b"sk-proj-0123456789abcdefghij"
_SECRETS = environment.of_environment({"DB_PASSWORD": VALUE})


def _check(interaction: Interaction, text: str = "") -> str:
    with pytest.raises(CassetteError) as caught:
        scrubbing.check([exchange({}, {}), interaction], text, path=Path("c.yaml"), secrets=_SECRETS)
    return str(caught.value)


def _bytes(content: bytes) -> Body:
    return Body("base64", base64.b64encode(content).decode())


@pytest.mark.parametrize(
    "interaction",
    [
        exchange({"a": ["b", f"so {VALUE}."]}, {}),
        exchange({}, {VALUE: 1}),
        exchange({}, {}, url="https://x/?q=correct%20horse%20battery%20staple"),
        exchange(_bytes(b"\xff" + VALUE.encode()), {}),
        Interaction(asked(), Response(302, "", (("location", f"/{VALUE}"),), Body("none"))),
        exchange({}, Body("events", [{"data": {"delta": "correct horse"}}, {"data": {"delta": " battery staple"}}])),
    ],
    ids=["request", "name", "url", "bytes", "header", "pieces"],
)
def test_the_value_of_a_secret_variable_is_named_by_its_variable(interaction: Interaction) -> None:
    message = _check(interaction)

    assert message == (
        f"The cassette c.yaml was not written: {interaction.request} or its answer holds the value of the environment "
        f"variable DB_PASSWORD. Keep it out of what is sent, or have it removed: ini key refinery_scrub, hook "
        f"pytest_refinery_scrub."
    )


def test_the_head_of_the_file_is_looked_at_too() -> None:
    assert "its head holds the value of the environment variable DB_PASSWORD" in _check_head(f"item: {VALUE}\n")


def _check_head(text: str) -> str:
    with pytest.raises(CassetteError) as caught:
        scrubbing.check([], text, path=Path("c.yaml"), secrets=_SECRETS)
    return str(caught.value)


@pytest.mark.parametrize(
    "body",
    [_bytes(b"\xff" + KEY), Body("events", [{"data": {"t": "sk-proj-01234"}}, {"data": {"t": "56789abcdefghij"}}])],
    ids=["bytes", "pieces"],
)
def test_what_looks_like_a_key_where_it_cannot_be_removed_is_refused(body: Body) -> None:
    message = _check(exchange({}, body))

    assert "looks like a key, in bytes or in pieces" in message
    assert "0123" not in message


@pytest.mark.parametrize(
    "interaction",
    [
        Interaction(asked(), Response(200, "", (("content-encoding", "zstd"),), _bytes(b"\x28\xb5\x2f\xfd"))),
        exchange(_bytes(gzip.compress(b"x" * 100)[:20]), {}),
    ],
    ids=["answer", "request"],
)
def test_what_cannot_be_decompressed_is_refused(interaction: Interaction) -> None:
    assert "compressed in a way that cannot be read here" in _check(interaction)


def test_everything_else_passes() -> None:
    events = Body("events", [{"data": {"t": "sk-"}}, {"data": "[DONE]"}])
    harmless = [exchange({"a": 1}, events), Interaction(asked(_bytes(b"\xff\x00")), answered())]

    scrubbing.check(harmless, "item: a\n", path=Path("c.yaml"), secrets=_SECRETS)
