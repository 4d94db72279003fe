"""Which tags of expectation files may become marks: a tag selects, and must not change how a run goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

# Both mean to an expectation what they mean to a test; a group says where an item runs and nothing else.
_ALLOWED = frozenset({"skip", "xfail", "xdist_group"})
# pytest's own that take arguments or act on the order of hooks, registered or not.
_OF_PYTEST = frozenset({"filterwarnings", "parametrize", "skipif", "usefixtures", "tryfirst", "trylast", "refinery"})
# Marks without arguments on which a plugin acts. Those with arguments need no list: their registration shows it.
_OF_PLUGINS = frozenset(
    "anyio asyncio asyncio_cooperative benchmark block_network celery disable_socket enable_socket flaky forked "
    "gevent isolate_processes langsmith no_cover order random_order repeat respx_mock run_in_subprocess "
    "thread_unsafe timeout trio twisted vcr xprocess".split()
)


class Tags:
    """The tags of a run's expectation files."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._ours: set[str] = set()

    def refuse(self, tag: str) -> str | None:
        """Return why a tag cannot be a mark, ``None`` where it can."""
        if tag in _ALLOWED or tag in self._ours:
            return None
        registered = _registered(self._config.getini("markers")).get(tag)
        takes_arguments = registered is not None and registered != tag
        if tag not in _OF_PYTEST and not takes_arguments and (registered is None or tag not in _OF_PLUGINS):
            return None
        return (
            f"The tag {tag!r} is the mark {registered or tag} of pytest or a plugin, which acts on it. Tags only "
            f"select with -m: take another word, such as {tag}-case; to set the mark itself, add it to the item in a "
            "conftest.py (pytest_collection_modifyitems)."
        )

    def register(self, tags: Iterable[str]) -> None:
        """Declare tags as marks: --strict-markers would refuse one that is not declared."""
        for tag in sorted(set(tags) - self._ours):
            self._ours.add(tag)
            self._config.addinivalue_line("markers", f"{tag}: a tag of expectation files.")


def _registered(lines: Iterable[str]) -> dict[str, str]:
    """Return the marks that are registered, by name, each as its line writes it: ``timeout(seconds)``."""
    found: dict[str, str] = {}
    for line in lines:
        signature = _signature(line)
        found.setdefault(signature.partition("(")[0].strip(), signature)
    return found


def _signature(line: str) -> str:
    before, bracket, behind = line.partition("(")
    if not bracket or ":" in before:
        return line.partition(":")[0].strip()
    return f"{before.strip()}({behind.partition(')')[0]})"
