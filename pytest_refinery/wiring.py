"""Settings -> engine; the only module that names concrete adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_refinery.analysis.engine import Engine
    from pytest_refinery.analysis.ports import Analyst, PromptFile
    from pytest_refinery.settings import Settings
    from pytest_refinery.traces.source import TraceSource

ANALYSTS = ("auto", "builtin")


def build_engine(settings: Settings, analyst: Analyst) -> Engine:
    """Return the engine that diagnoses with ``analyst`` under the limits of the settings."""
    from pytest_refinery.analysis.engine import Engine, Limits

    default = Limits()
    return Engine(
        analyst,
        Limits(
            group_tokens=settings.group_tokens or default.group_tokens,
            group_size_runs=settings.group_size_runs,
            disable_chunking=settings.disable_chunking,
            timeout_seconds=settings.timeout,
        ),
    )


def build_analyst(name: str) -> Analyst:
    """Return one of our own analysts.

    Raises:
        ConfigurationError: There is none of this name.
    """
    if name not in ANALYSTS:
        msg = f"There is no analyst {name!r}.{did_you_mean(name, ANALYSTS)} There are: {', '.join(ANALYSTS)}."
        raise ConfigurationError(msg)
    from pytest_refinery.llm.builtin.analyst import BuiltinAnalyst

    return BuiltinAnalyst()


def build_source() -> TraceSource:
    """Return the source of traces."""
    from pytest_refinery.sources.json_files import JsonFiles

    return JsonFiles()


def read_prompt_files(patterns: Iterable[str], *, base: Path, root: Path) -> tuple[PromptFile, ...]:
    """Return the prompt files of the repository that match ``patterns``.

    Raises:
        TraceError: A pattern matches nothing, or a file is no text.
    """
    from pytest_refinery.sources import prompt_files

    return prompt_files.read(patterns, base=base, root=root)
