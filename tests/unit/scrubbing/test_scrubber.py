"""What a cassette must not hold is replaced, in every place, once and for all."""

from __future__ import annotations

import json
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.cassettes.bodies import Body
from pytest_refinery.cassettes.interactions import Request, Response
from pytest_refinery.cassettes.scrubbing import ExchangeScrubber
from pytest_refinery.errors import CassetteError
from pytest_refinery.scrubbing import scrubber as scrubbers
from pytest_refinery.scrubbing import secret_shapes
from pytest_refinery.scrubbing.environment import of_environment
from pytest_refinery.scrubbing.scrubber import Scrubber
from pytest_refinery.traces.model import Json, Run, Trace

_TAIL = "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0"
KEYS = [
    f"sk-{_TAIL}",
    f"sk-proj-{_TAIL}-{_TAIL}",
    f"sk-ant-api03-{_TAIL}_{_TAIL}-AA",
    f"sk_live_{_TAIL}",
    f"org-{_TAIL}",
    f"lsv2_pt_{_TAIL}_0123456789",
    f"ls__{_TAIL}",
    f"ghp_{_TAIL}",
    f"github_pat_{_TAIL}_{_TAIL}",
    f"glpat-{_TAIL}",
    f"xoxb-123456789012-{_TAIL}",
    "AKIAIOSFODNN7EXAMPLE",
    f"AIza{_TAIL}xyz",
    f"ya29.{_TAIL}",
    f"hf_{_TAIL}",
    f"gsk_{_TAIL}",
    f"xai-{_TAIL}",
    f"tvly-{_TAIL}",
    f"pypi-{_TAIL}",
    f"npm_{_TAIL}",
    f"SG.{_TAIL}.{_TAIL}",
    f"whsec_{_TAIL}",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    f"-----BEGIN RSA PRIVATE KEY-----\n{_TAIL}\n-----END RSA PRIVATE KEY-----",
]
_HARMLESS = [
    "The risk-adjusted desk-research task-force",
    "https://example.com/a/b?page=2&order=asc&q=a@b&key=name",
    "the bearer of this letter; a basic income",
    '{"token": " Hel", "logprob": -0.1, "max_tokens": 5}',
    "file-2b6dRdmXnzSrqiEbhVJZRU in vs_69398dd5d4b8819193d8e0e7a2c3b9b5",
    "5f1d7a84-3f0e-4b71-9d1c-2f8a3c6f1b11",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "eyJ is how base64 of JSON begins",
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("text", ["{}", 'My key is "{}".', "a={}, b=2", "line\n{}\nline", "line\\n{}", "\\u003c{}"])
def test_a_key_is_removed_wherever_it_stands_in_a_text(key: str, text: str) -> None:
    assert Scrubber().text(text.format(key)) == text.format("REMOVED")


@pytest.mark.parametrize("text", _HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Scrubber().text(text) == text


@pytest.mark.parametrize(
    ("url", "scrubbed"),
    [
        ("https://me:pass@example.com/a", "https://REMOVED@example.com/a"),
        ("https://example.com/a?api_key=x&page=2", "https://example.com/a?api_key=REMOVED&page=2"),
        ("https://example.com/a?page=2&token=0123456789ab#top", "https://example.com/a?page=2&token=REMOVED#top"),
        ("https://example.com/a?token=next", "https://example.com/a?token=next"),
        (
            "https://b.s3.amazonaws.com/k?X-Amz-Date=20261123T000000Z&X-Amz-Signature=abc&X-Amz-Expires=60&v=1",
            "https://b.s3.amazonaws.com/k?X-Amz-Date=REMOVED&X-Amz-Signature=REMOVED&X-Amz-Expires=REMOVED&v=1",
        ),
        (
            "https://a.blob.core.windows.net/c?sv=2024&sig=a%2Fb%3D",
            "https://a.blob.core.windows.net/c?sv=2024&sig=REMOVED",
        ),
        ("https://hooks.slack.com/services/T0/B0/xyz", "https://hooks.slack.com/services/REMOVED"),
    ],
)
def test_secrets_of_a_url_are_removed_also_inside_a_text(url: str, scrubbed: str) -> None:
    assert Scrubber().text(url) == scrubbed
    assert Scrubber().json({"see": f"<{url}> or '{url}'"}) == {"see": f"<{scrubbed}> or '{scrubbed}'"}


def test_fields_with_the_names_of_secrets_are_emptied() -> None:
    value = {
        "Password": "hunter2",
        "nested": [{"client-secret": "x", "page_token": "y"}],
        "cookie": ["a=1", "b=2"],
        "token": "0123456789abcdef",
        "api_key": None,
        "properties": {"password": {"type": "string"}},
    }

    assert Scrubber().json(value) == {  # type: ignore[arg-type]
        "Password": "REMOVED",
        "nested": [{"client-secret": "REMOVED", "page_token": "y"}],
        "cookie": ["REMOVED", "REMOVED"],
        "token": "REMOVED",
        "api_key": None,
        "properties": {"password": {"type": "string"}},
    }


@pytest.mark.parametrize("times", range(4))
def test_such_fields_are_emptied_in_json_inside_texts(times: int) -> None:
    said, expected = '{"api_key": "a\\"b", "n": 1, "secret": ""}', '{"api_key": "REMOVED", "n": 1, "secret": ""}'
    for _ in range(times):
        said, expected = json.dumps({"arguments": said}), json.dumps({"arguments": expected})

    assert Scrubber().text(said) == expected


@pytest.mark.parametrize("word", ["Bearer", "bearer", "BEARER", "Basic"])
def test_what_follows_the_word_of_an_authorisation_is_removed(word: str) -> None:
    assert Scrubber().text(f"Authorization: {word} dXNlcjpwYXNz/+==") == f"Authorization: {word} REMOVED"


def test_requests_and_answers_are_scrubbed_in_all_their_parts() -> None:
    key = KEYS[0]
    request = Request("POST", f"https://x/{key}", "application/json", Body("json", {key: [key]}))
    response = Response(302, "", (("location", f"https://y/?sig={key}"),), Body("events", [{"data": {"a": key}}]))

    assert ExchangeScrubber(Scrubber()).request(request) == Request(
        "POST", "https://x/REMOVED", "application/json", Body("json", {"REMOVED": ["REMOVED"]})
    )
    assert ExchangeScrubber(Scrubber()).response(response) == Response(
        302, "", (("location", "https://y/?sig=REMOVED"),), Body("events", [{"data": {"a": "REMOVED"}}])
    )


def test_parts_of_an_upload_are_scrubbed_by_their_names_and_contents() -> None:
    parts = [
        {"name": "api_key", "text": "abc"},
        {"name": "file", "filename": "a.md", "text": f"# {KEYS[0]}\n"},
        {"name": "data", "json": {"password": "x"}},
        {"name": "raw", "base64": "AAAA"},
    ]

    assert ExchangeScrubber(Scrubber()).body(Body("multipart", parts)).value == [  # type: ignore[arg-type]
        {"name": "api_key", "text": "REMOVED"},
        {"name": "file", "filename": "a.md", "text": "# REMOVED\n"},
        {"name": "data", "json": {"password": "REMOVED"}},
        {"name": "raw", "base64": "AAAA"},
    ]


def test_bytes_are_left_alone_here_and_refused_where_they_are_written() -> None:
    assert ExchangeScrubber(Scrubber()).body(Body("base64", "AAAA")) == Body("base64", "AAAA")


def test_the_users_patterns_and_functions_are_applied() -> None:
    scrubber = Scrubber(
        patterns=(r"customer \d+", "[A-Z]{3,}"),
        callables=(lambda text: text.replace("Mallory", "somebody"), lambda _: None),
    )

    assert scrubber.text("Mallory is customer 4711 of ACME") == "somebody is REMOVED of REMOVED"


def test_a_function_that_fails_is_told_without_what_it_was_called_with() -> None:
    def fails(text: str) -> str:
        raise ValueError(text)

    with pytest.raises(CassetteError) as caught:
        Scrubber(callables=(fails,)).text("x" * 20)

    assert str(caught.value) == (
        "A hook pytest_refinery_scrub failed with ValueError: nothing can be recorded or replayed."
    )
    assert "x" * 20 not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Write to jane.doe+x@mail.example.co.uk.", "Write to someone@example.com."),
        ("Card 4111 1111 1111 1111, or 4111-1111-1111-1112", "Card CARD-NUMBER, or 4111-1111-1111-1112"),
        (
            "Call +44 20 7946 0958 or (212) 555-0123 or 212-555-0123.",
            "Call PHONE-NUMBER or PHONE-NUMBER or PHONE-NUMBER.",
        ),
        ("+1 (212) 555-0123", "PHONE-NUMBER"),
        ("On 2026-11-23 at 10:15, order 1234567890, 192.168.0.10, v1.2.3-4", None),
        ("5f1d7a84-3f0e-4b71-9d1c-2f8a3c6f1b11 and +5 and 3-4", None),
    ],
)
def test_personal_data_is_replaced_on_request(text: str, scrubbed: str | None) -> None:
    assert Scrubber(personal=True).text(text) == (scrubbed or text)
    assert Scrubber().text(text) == text


@pytest.mark.parametrize(
    "number", ["4111111111111111", "5500 0000 0000 0004", "3400-0000-0000-009", "6011000000000004"]
)
def test_card_numbers_are_told_by_their_check_digit(number: str) -> None:
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)

    assert scrubbers.without_personal_data(f"<{number}>") == "<CARD-NUMBER>"
    assert scrubbers.without_personal_data(f"<{wrong}>") != "<CARD-NUMBER>"


_pieces = st.lists(
    st.sampled_from([*KEYS, *_HARMLESS, "REMOVED", "@", "://", "?sig=", '"api_key": "', "Bearer ", "\\", '"', " ", "="])
    | st.text(max_size=8)
).map("".join)


@given(_pieces)
def test_what_has_been_scrubbed_stays_as_it_is(text: str) -> None:
    scrubber = Scrubber(patterns=(r"\d{3}", "E"), personal=True)
    once = scrubber.text(text)

    assert scrubber.text(once) == once


@given(_pieces)
def test_no_text_has_the_shape_of_a_secret_afterwards(text: str) -> None:
    assert not secret_shapes.is_in(secret_shapes.removed(text))


def _streamed(*pieces: str) -> list[dict[str, object]]:
    return [{"data": {"choices": [{"index": 0, "delta": {"content": piece}}]}} for piece in pieces]


@pytest.mark.parametrize(
    ("pieces", "scrubbed"),
    [
        (("the key is sk-proj-0123456789", "abcdefghij", "klmnop."), ("the key is REMOVED", "", ".")),
        (("sk", "-", "proj", "-01234567", "89abcdefg", " it is"), ("REMOVED", "", "", "", "", " it is")),
        (("password=hun", "ter2 ok"), ("password=REMOVED", " ok")),
        (("AK", "IAIOSFODNN7EXAMPLE"), ("REMOVED", "")),
        (("no", " key", " here"), ("no", " key", " here")),
    ],
)
def test_a_secret_in_the_pieces_of_a_stream_is_removed_whole(
    pieces: tuple[str, ...], scrubbed: tuple[str, ...]
) -> None:
    assert Scrubber().json(_streamed(*pieces)) == _streamed(*scrubbed)  # type: ignore[arg-type]


def test_streams_side_by_side_are_kept_apart() -> None:
    pieces = [(0, "sk-proj-012345"), (1, "harmless"), (0, "6789abcdefgh"), (1, " text")]
    events = [{"data": {"choices": [{"index": index, "delta": {"content": piece}}]}} for index, piece in pieces]
    found = json.dumps(Scrubber().json(events))  # type: ignore[arg-type]
    assert "6789abcdefgh" not in found
    assert "harmless" in found


def test_a_stream_that_is_kept_as_a_text_is_looked_at_in_its_lines() -> None:
    lines = "".join(f'data: {{"t": "{piece}"}}\n\n' for piece in ("key sk-proj-0123456", "789abcdef", "ghij", "."))
    found = str(ExchangeScrubber(Scrubber()).body(Body("text", lines)).value)
    assert "789abcdef" not in found
    assert "ghij" not in found
    assert "key REMOVED" in found


def test_a_value_that_has_no_secret_is_the_same_object() -> None:
    value = {"a": ["b", {"c": 1}]}
    assert Scrubber().json(value) is value  # type: ignore[arg-type]


def test_what_is_nested_too_deep_to_be_looked_at_is_removed() -> None:
    value: object = "x"
    for _ in range(5_000):
        value = [value, value]
    assert Scrubber().json(value) == "REMOVED"  # type: ignore[arg-type]


def test_values_of_the_environment_are_removed_in_every_form() -> None:
    values = of_environment({"SHOP_TOKEN": 'some "odd" välue/42'})
    scrubber = Scrubber(values=values)
    said = {
        "a": 'x some "odd" välue/42 y',
        "b": json.dumps('some "odd" välue/42'),
        "c": "some%20%22odd%22%20v%C3%A4lue/42",
    }
    assert scrubber.json(said) == {"a": "x REMOVED y", "b": '"REMOVED"', "c": "REMOVED"}  # type: ignore[arg-type]


def test_the_trace_of_many_items_is_scrubbed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (
        Trace(id=f"t{key}", name="t", runs=(Run(id="1", name="n", kind="llm", outputs=f"sk-proj-{key * 24}"),))
        for key in "ab"
    )
    scrubber = Scrubber()
    found = scrubber.trace(one)
    assert found.runs[0].outputs == "REMOVED"
    monkeypatch.setattr(Scrubber, "json", lambda *_: pytest.fail("scrubbed again"))
    assert scrubber.trace(one) is found
    monkeypatch.undo()
    assert scrubber.trace(two).id == "tb"
    assert scrubber.trace(one) == found


def test_pieces_of_a_key_are_found_behind_words() -> None:
    pieces: list[Json] = ["The key of this project is sk", "-proj-Ab1Cd2Ef3Gh4", "Ij5Kl6Mn7Op8 and no other", "one is"]
    found = Scrubber().json(pieces)
    assert found == ["The key of this project is REMOVED", "", " and no other", "one is"]


def test_a_value_of_the_environment_is_found_among_ids_and_among_words() -> None:
    values = of_environment({"SOME_API_KEY": "7f3a9b1c52e84c6a9b0d3e5f7a9c1b2d", "DB_PASSWORD": "a b.c:d!e"})
    ids = [f"{number:032x}" for number in range(1, 9_999_999, 50_000)]
    for others in (ids, ["some words of a sentence"] * 9):
        text = " ".join([*others, "7f3a9b1c52e84c6a9b0d3e5f7a9c1b2d", "a b.c:d!e", *others])
        assert Scrubber(values=values).text(text) == " ".join([*others, "REMOVED", "REMOVED", *others])
