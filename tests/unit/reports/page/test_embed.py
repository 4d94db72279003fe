from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.reports.escape import printable
from pytest_refinery.reports.page import embed


@given(st.text())
def test_json_in_a_script_means_the_same_with_what_steers_spelled_out(text: str) -> None:
    written = embed.json_text(json.dumps({"text": text}, ensure_ascii=False))
    shown = "".join(each if each.isascii() else printable(each) for each in text)
    assert json.loads(written) == {"text": shown}
    assert not set(written) & set("<>&\u2028\u2029\u202e")


@pytest.mark.parametrize("text", ["</script>", "<!--", "]]>", "\u2028", "&amp;"])
def test_what_could_end_a_script_is_written_as_an_escape(text: str) -> None:
    written = embed.json_text(json.dumps(text, ensure_ascii=False))
    assert text not in written
    assert json.loads(written) == text


def test_a_backslash_before_a_u_stays_a_backslash() -> None:
    assert json.loads(embed.json_text(json.dumps("C:\\users \u202e"))) == "C:\\users \u202e"
    assert json.loads(embed.json_text(json.dumps("C:\\users \u202e", ensure_ascii=False))) == "C:\\users \\u202e"


def test_a_source_hash_is_the_one_that_browsers_compute() -> None:
    # The example of the specification of content security policies.
    assert embed.source_hash("alert('Hello, world.');") == "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"
