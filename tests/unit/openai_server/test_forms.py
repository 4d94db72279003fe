from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.openai_server.forms import parsed
from tests.openai_server.messages import ServiceError, Upload

BOUNDARY = "0d9f6f6d2a1b4c3e"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def form(**fields: bytes) -> bytes:
    parts = [
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (BOUNDARY.encode(), name.encode(), value)
        for name, value in fields.items()
        if name != "file"
    ]
    head = b'Content-Disposition: form-data; name="file"; filename="g01.md"\r\nContent-Type: text/markdown\r\n\r\n'
    upload = [b"--%b\r\n%b%b\r\n" % (BOUNDARY.encode(), head, fields["file"])] if "file" in fields else []
    return b"".join([*parts, *upload, f"--{BOUNDARY}--\r\n".encode()])


@given(
    st.binary(max_size=200) | st.text(st.sampled_from("a -\r\n\x0b\x0c\x1c\x85\u2028é"), max_size=80).map(str.encode)
)
def test_a_file_arrives_byte_for_byte(content: bytes) -> None:
    fields, upload = parsed(form(purpose=b"assistants", file=content), CONTENT_TYPE)
    assert fields == {"purpose": "assistants"}
    assert upload == Upload("g01.md", content)


def test_names_with_brackets_make_objects() -> None:
    content = (
        form(purpose=b"assistants").replace(b'"purpose"', b'"expires_after[seconds]"').replace(b"assistants", b"60")
    )
    assert parsed(content, CONTENT_TYPE) == ({"expires_after": {"seconds": 60}}, None)


def test_no_body_is_an_empty_one() -> None:
    assert parsed(b"", "") == ({}, None)


@pytest.mark.parametrize("content", [b"{", b"[]", b'"text"'])
def test_a_body_that_is_no_object_is_refused(content: bytes) -> None:
    with pytest.raises(ServiceError):
        parsed(content, "application/json")
