"""Which tracing is captured, by what is installed."""

from __future__ import annotations

import sys

import pytest

from pytest_refinery import wiring
from pytest_refinery.errors import AgentError


def test_the_libraries_that_are_installed_are_captured() -> None:
    assert [capture.name for capture in wiring.build_captures()] == ["LangSmith", "OpenTelemetry"]


def test_a_library_that_is_not_installed_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "find_spec", lambda _: None)
    assert wiring.build_captures() == ()


def test_a_library_that_could_not_be_kept_from_sending_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pytest_refinery.sources.capture.langsmith", raising=False)
    monkeypatch.setitem(sys.modules, "langsmith._internal", None)
    with pytest.raises(AgentError) as caught:
        wiring.build_captures()
    assert str(caught.value).startswith("The tracing of an installed library cannot be kept from sending (")
    assert str(caught.value).endswith("). Update it: pip install -U 'pytest-refinery[langsmith,otel]'.")
