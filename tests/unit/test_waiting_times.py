from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery import rate_limit_headers


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("374ms", 0.374),
        ("1.326s", 1.326),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("2d", 172_800.0),
        ("12", 12.0),
        (" 0.5 ", 0.5),
        ("850us", 0.00085),
        ("3µs", 3e-6),
    ],
)
def test_durations_are_read_in_every_form(text: str, seconds: float) -> None:
    assert rate_limit_headers.seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1x", "1s later", "1 s", "nan", "inf", "1.s", "٣s", "s"])
def test_anything_else_is_no_duration(text: str) -> None:
    assert rate_limit_headers.seconds(text) is None


@given(st.text())
def test_no_text_breaks_the_parsers(text: str) -> None:
    rate_limit_headers.seconds(text)
    rate_limit_headers.seconds_in_sentence(text)
    rate_limit_headers.seconds_in_headers({"retry-after": text, "retry-after-ms": text})


@given(st.integers(0, 100), st.integers(0, 59), st.integers(0, 59_999))
def test_minutes_seconds_and_milliseconds_add_up(hours: int, minutes: int, milliseconds: int) -> None:
    text = f"{hours}h{minutes}m{milliseconds / 1000}s"
    assert rate_limit_headers.seconds(text) == pytest.approx(hours * 3600 + minutes * 60 + milliseconds / 1000)


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Limit 30000, Used 30000, Requested 663. Please try again in 1.326s. Visit https://...", 1.326),
        ("Please try again in 6m0s.", 360.0),
        ("please TRY AGAIN IN 374ms", 0.374),
        ("Please retry after 20 seconds", 20.0),
        ("Try again in 20", 20.0),
        ("Please try again later.", None),
        ("", None),
    ],
)
def test_the_sentence_of_a_refusal_is_understood(message: str, seconds: float | None) -> None:
    assert rate_limit_headers.seconds_in_sentence(message) == (None if seconds is None else pytest.approx(seconds))


NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after": "3", "retry-after-ms": "2500"}, 2.5),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:07 GMT"}, 7.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:07 -0000"}, 7.0),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_the_headers_of_a_refusal_are_understood(headers: dict[str, str], seconds: float | None) -> None:
    assert rate_limit_headers.seconds_in_headers(headers, now=NOON) == seconds
