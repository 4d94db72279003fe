"""Starts the server by hand: ``python -m tests.langsmith_server --port 8081 export.json``."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from tests.langsmith_server import traces
from tests.langsmith_server.server import LangSmithServer
from tests.langsmith_server.terms import KEY

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    chosen = vars(_parser().parse_args(arguments))
    exports, project = chosen.pop("exports"), chosen.pop("project")
    with LangSmithServer(**chosen) as server, contextlib.suppress(KeyboardInterrupt):
        _say(f"LANGSMITH_ENDPOINT={server.endpoint}\nLANGSMITH_API_KEY={KEY}")
        for runs in [traces.exported(path) for path in exports] or [traces.made(7)]:
            trace = server.store.add(runs, project=project)
            token = server.store.share(trace)
            _say(f"{trace.id}  {len(runs)} runs\n  {server.page_of(trace)}\n  {server.endpoint}/public/{token}/r")
        threading.Event().wait()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.langsmith_server", description=__doc__)
    parser.add_argument("exports", nargs="*", type=Path, help="run exports to serve; a made trace if not given")
    parser.add_argument("--port", type=int, default=8081, help="0 for any that is free")
    parser.add_argument("--project", default="default", help="the project that they are in")
    parser.add_argument("--latency-seconds", type=float, default=0.0, help="how long each answer takes")
    parser.add_argument("--no-v1", dest="has_v1", action="store_false", help="only the newer API")
    parser.add_argument("--no-v2", dest="has_v2", action="store_false", help="a self-hosted backend from before 0.16")
    parser.add_argument("--no-limits", dest="has_limits", action="store_false", help="enforce no limits")
    return parser


if __name__ == "__main__":
    main()
