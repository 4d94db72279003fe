"""What a replay reads of the head of a cassette."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_refinery.cassettes import cassette_file
from pytest_refinery.cassettes.cassette_file import RecordingMetadata

if TYPE_CHECKING:
    from pathlib import Path


@given(
    st.builds(
        RecordingMetadata,
        analyst=st.text(),
        tokens_per_minute=st.integers(1, 10**9),
        variables=st.dictionaries(st.text(min_size=1), st.text()),
    )
)
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, found: RecordingMetadata) -> None:
    path = tmp_path_factory.mktemp("head") / "one.yaml"
    text = cassette_file.written([], about="one", recorded_against="", metadata=found)
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    assert cassette_file.recording_metadata(path) == found


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "cassette: 1\ninteractions: []\n...\n",
        "circumstances: 7\n",
        "circumstances: {analyst: openai}\n",
        "circumstances: {analyst: openai, tokens_per_minute: many, variables: {}}\n",
        "circumstances: [\n",
        "circumstances: !!python/name:os.system\n",
    ],
)
def test_where_nothing_is_said_they_are_the_usual_ones(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert cassette_file.recording_metadata(path) == RecordingMetadata()


def test_only_the_head_is_read(tmp_path: Path) -> None:
    """A cassette may be large, and its interactions are read when it is opened."""
    path = tmp_path / "one.yaml"
    head = "circumstances:\n  analyst: openai\n  tokens_per_minute: 9000\n  variables: {}\n"
    path.write_text(f"{head}interactions:\n- [ this is no YAML", encoding="utf-8")
    assert cassette_file.recording_metadata(path) == RecordingMetadata("openai", 9_000)
