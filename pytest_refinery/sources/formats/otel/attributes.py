"""The attributes of one span: flat names with dots in them, taken one by one, so that what is left is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_refinery.sources.formats.values import decoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_refinery.traces.model import Json


class Attributes:
    """Flat attributes; what was taken has found its place.

    Attributes:
        left: What was not taken so far, in order.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.left: dict[str, Any] = {key: value for key, value in values.items() if value is not None}

    def take(self, *names: str) -> Json:
        """Return the first of these that says something, as it stands; all of them count as taken."""
        found = [self.left.pop(name) for name in names if name in self.left]
        return next((value for value in found if value not in ("", "null")), None)

    def text(self, *names: str) -> str | None:
        """Return ``take`` as text, ``None`` where there is nothing."""
        found = self.take(*names)
        return None if found is None else str(found)

    def value(self, *names: str) -> Json:
        """Return ``take`` with the JSON that stands in texts decoded."""
        return decoded(self.take(*names))

    def family(self, prefix: str) -> Json:
        """Return what the attributes below ``prefix`` spell: ``prefix.0.name`` is a field of a list's first item."""
        start = f"{prefix}."
        taken = {name: self.left.pop(name) for name in [name for name in self.left if name.startswith(start)]}
        tree: dict[str, Any] = {}
        for name, value in taken.items():
            _plant(tree, name[len(start) :].split("."), value)
        return _listed(tree) if tree else None

    def with_prefix(self, prefix: str) -> dict[str, Json]:
        """Take all attributes that begin with ``prefix``; return them without it."""
        names = [name for name in self.left if name.startswith(prefix)]
        return {name[len(prefix) :]: self.left.pop(name) for name in names}

    def discard(self, names: Iterable[str]) -> None:
        """Count these as taken: what they say is said by something that was taken."""
        for name in names:
            self.left.pop(name, None)


def _plant(tree: dict[str, Any], path: list[str], value: Json) -> None:
    *branches, leaf = path
    for branch in branches:
        # Where there is "a" beside "a.b", the deeper one says more.
        if not isinstance(tree.get(branch), dict):
            tree[branch] = {}
        tree = tree[branch]
    if not isinstance(tree.get(leaf), dict):
        tree[leaf] = value


def _listed(tree: Json) -> Json:
    if not isinstance(tree, dict):
        return tree
    grown = {name: _listed(branch) for name, branch in tree.items()}
    if not all(name.isdecimal() for name in grown):
        return grown
    return [grown[name] for name in sorted(grown, key=int)]
