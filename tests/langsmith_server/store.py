"""Projects, traces and public links, and what is stored apart from its run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Run = dict[str, Any]

_NAMES = UUID("9d7a53a4-8f9b-4a1e-9a37-0f6f0d1c2b3a")
WORKSPACE = str(uuid5(_NAMES, "workspace"))


def project_id(name: str) -> str:
    """Return the id that a project of this name has."""
    return str(uuid5(_NAMES, f"project {name}"))


@dataclass
class Trace:
    """A trace, its runs in the order in which they started."""

    project: str
    runs: list[Run]
    is_stored_apart: bool = False

    @property
    def id(self) -> str:
        """The id of its root."""
        return str(self.runs[0]["trace_id"])

    @property
    def project_id(self) -> str:
        """The id of its project."""
        return project_id(self.project)


@dataclass
class Store:
    """All that the service knows."""

    traces: list[Trace] = field(default_factory=list)
    projects: list[str] = field(default_factory=list)
    shares: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)

    def add(self, runs: Sequence[Run], *, project: str = "default", stored_apart: bool = False) -> Trace:
        """Put a trace into a project, which is made if there is none; its large parts beside it where asked to."""
        trace = Trace(project, sorted(runs, key=lambda run: str(run["start_time"])), stored_apart)
        self.traces.append(trace)
        if project not in self.projects:
            self.projects.append(project)
        return trace

    def share(self, trace: Trace) -> str:
        """Share a trace with everybody and return the token."""
        token = str(uuid5(_NAMES, f"share {trace.id}"))
        self.shares[token] = trace.id
        return token

    def keep_apart(self, run: Run, side: str) -> str:
        """Return the path under which a side of a run is stored."""
        name = str(uuid5(_NAMES, f"{run['id']} {side}"))
        self.blobs[name] = json.dumps(run[side]).encode()
        return f"/blobs/{name}"

    def runs(self, *, projects: Sequence[str] = (), trace: str | None = None, ids: Sequence[str] = ()) -> list[Run]:
        """Return the runs that fit all of what is given, each with the id of its project as ``session_id``."""
        return [
            run | {"session_id": each.project_id, "is_stored_apart": each.is_stored_apart}
            for each in self.traces
            if not projects or each.project_id in projects
            for run in each.runs
            if (trace is None or run["trace_id"] == trace) and (not ids or run["id"] in ids)
        ]

    def sessions(self, query: Mapping[str, Sequence[str]]) -> list[Run]:
        """Return the projects, those of a name where one is asked for."""
        names = query.get("name", self.projects)
        found = [name for name in self.projects if name in names]
        return [
            {"id": project_id(name), "name": name, "tenant_id": WORKSPACE, "start_time": "2026-01-01T00:00:00"}
            for name in found[: int(query.get("limit", ["100"])[-1])]
        ]
