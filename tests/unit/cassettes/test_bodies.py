"""Bodies as values: readable, comparable, and for answers the same bytes again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.cassettes import bodies
from pytest_refinery.cassettes.bodies import NOTHING, Body

if TYPE_CHECKING:
    from pytest_refinery.traces.model import Json

_texts = st.text(st.characters(exclude_categories=["Cs"]))
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _texts,
    lambda inner: st.lists(inner) | st.dictionaries(_texts, inner),
    max_leaves=20,
)
_LAYOUTS = [
    {"separators": (",", ":"), "ensure_ascii": False},
    {"separators": (",", ":")},
    {},
    {"ensure_ascii": False},
    {"indent": 2},
    {"indent": 2, "ensure_ascii": False},
]


@given(_json, st.sampled_from(_LAYOUTS), st.sampled_from(["", "\n"]))
def test_json_is_kept_as_a_value_and_comes_back_byte_for_byte(value: Json, layout: dict[str, object], end: str) -> None:
    content = (json.dumps(value, **layout) + end).encode()  # type: ignore[arg-type]

    body = bodies.of_response(content, "application/json")

    assert (body.kind, body.value) == ("json", value)
    assert bodies.rendered(body) == content


@given(st.binary(), st.sampled_from(["application/json", "text/event-stream", "text/plain", ""]))
def test_whatever_an_answer_carries_comes_back_byte_for_byte(content: bytes, content_type: str) -> None:
    assert bodies.rendered(bodies.of_response(content, content_type)) == content


@given(st.text(alphabet='data: {}[]"1,ent\nid\r:'))
def test_whatever_a_stream_holds_comes_back_byte_for_byte(text: str) -> None:
    assert bodies.rendered(bodies.of_response(text.encode(), "text/event-stream")) == text.encode()


@given(
    st.binary(), st.text(), st.sampled_from(["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
)
def test_no_body_of_a_request_is_too_strange(content: bytes, text: str, content_type: str) -> None:
    for each in (content, text.encode("utf-8", "replace"), b"--x" + content, b"--x\r\n" + content + b"\r\n--x--\r\n"):
        assert bodies.of_request(each, content_type).kind in bodies.KINDS


@pytest.mark.parametrize(
    "content",
    [
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": "\\ud800"}',
        '{"a":  1}',
        "[" * 100 + "]" * 100,
        "[" * 100_000,
        '{"a": ',
    ],
)
def test_json_that_would_not_survive_stays_a_text(content: str) -> None:
    body = bodies.of_response(content.encode(), "application/json")

    assert body == Body("text", content)


def test_what_json_means_counts_in_a_request_not_how_it_is_spaced() -> None:
    one = bodies.of_request(b'{"b": 1, "a": [1,2]}', "application/json; charset=utf-8")
    other = bodies.of_request(b'{\n  "a": [1, 2],\n  "b": 1\n}', "application/problem+json")

    assert one == other


def test_a_json_body_without_a_type_is_recognised() -> None:
    assert bodies.of_request(b'{"a":1}', "") == Body("json", {"a": 1})


def test_the_null_of_json_is_not_the_same_as_no_body() -> None:
    assert bodies.of_request(b"null", "application/json") == Body("json", None)
    assert bodies.of_request(b"", "application/json") == NOTHING


def test_an_upload_is_its_parts_without_the_boundary() -> None:
    upload = (
        b'--AB\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
        b'--AB\r\nContent-Disposition: form-data; name="file"; filename="g\xc3\xb6.md"\r\n'
        b"Content-Type: text/markdown\r\n\r\n"
        b"# One\r\n\n--A\r\n\r\n"
        b'--AB\r\nContent-Disposition: form-data; name="raw"; filename="x.bin"\r\n\r\n\xff\x00\r\n'
        b'--AB\r\nContent-Disposition: form-data; name="data"\r\nContent-Type: application/json\r\n\r\n'
        b'{"a": 1}\r\n--AB--\r\n'
    )

    assert bodies.of_request(upload, 'multipart/form-data; boundary="AB"').value == [
        {"name": "purpose", "text": "assistants"},
        {"name": "file", "filename": "gö.md", "content-type": "text/markdown", "text": "# One\r\n\n--A\r\n"},
        {"name": "raw", "filename": "x.bin", "base64": "/wA="},
        {"name": "data", "content-type": "application/json", "json": {"a": 1}},
    ]


def test_a_form_is_a_mapping() -> None:
    body = bodies.of_request(b"a=1&b=x+y%26&a=2&c=", "application/x-www-form-urlencoded")

    assert body == Body("form", {"a": ["1", "2"], "b": "x y&", "c": ""})


def test_what_claims_to_be_a_form_and_is_none_stays_a_text() -> None:
    assert bodies.of_request(b"just words", "application/x-www-form-urlencoded") == Body("text", "just words")


def test_events_are_mappings_with_their_data_as_json() -> None:
    stream = b'event: delta\ndata: {"text":"Hi"}\n\ndata: {"text":"!"}\nid: 2\n\ndata: [DONE]\n\n'

    body = bodies.of_response(stream, "text/event-stream; charset=utf-8")

    assert body.value == [
        {"event": "delta", "data": {"text": "Hi"}},
        {"data": {"text": "!"}, "id": "2"},
        {"data": "[DONE]"},
    ]
    assert bodies.rendered(body) == stream


@pytest.mark.parametrize("lines", [b"\n", b"\r\n"])
@pytest.mark.parametrize("data", [b'{"a":1}', b'{"a": 1}', b'{"a": "\\u00e9"}'])
def test_events_are_readable_however_their_lines_end_and_their_json_is_spaced(lines: bytes, data: bytes) -> None:
    stream = lines.join([b": welcome", b"", b"data: " + data, b"", b""])

    body = bodies.of_response(stream, "text/event-stream")

    assert body.value == [{"": "welcome"}, {"data": json.loads(data)}]
    assert bodies.rendered(body) == stream


def test_data_over_several_lines_is_one_text() -> None:
    stream = b"data: one\ndata: two\n\n"

    body = bodies.of_response(stream, "text/event-stream")

    assert body.value == [{"data": "one\ntwo"}]
    assert bodies.rendered(body) == stream


def test_events_with_json_spaced_in_several_ways_keep_it_as_texts() -> None:
    stream = b'data: {"a":1}\n\ndata: {"a": 1}\n\n'

    assert bodies.of_response(stream, "text/event-stream").value == [{"data": '{"a":1}'}, {"data": '{"a": 1}'}]


def test_bytes_that_are_no_text_are_kept_in_base64() -> None:
    body = bodies.of_response(b"\xff\xd8\x00", "image/jpeg")

    assert body == Body("base64", "/9gA")
    assert bodies.rendered(body) == b"\xff\xd8\x00"
