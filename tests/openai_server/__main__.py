"""Starts the server by hand: ``python -m tests.openai_server --port 8080 --tpm 30000 --tpm-model sliding``."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from typing import TYPE_CHECKING

from tests.openai_server.server import OpenAIServer

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    chosen = vars(_parser().parse_args(arguments))
    with OpenAIServer(**chosen) as server, contextlib.suppress(KeyboardInterrupt):
        sys.stdout.write(f"OPENAI_BASE_URL={server.base_url}\n")
        sys.stdout.flush()
        threading.Event().wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.openai_server", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="0 for any that is free")
    parser.add_argument("--tpm", type=int, help="tokens in a minute; no limit if not given")
    parser.add_argument("--rpm", type=int, help="requests in a minute; no limit if not given")
    parser.add_argument("--tpm-model", choices=("bucket", "sliding"), default="bucket", help="how both are enforced")
    parser.add_argument("--minute-seconds", type=float, default=60.0, help="how long a minute is")
    parser.add_argument("--latency-seconds", type=float, default=0.0, help="how long a response takes")
    parser.add_argument("--indexing-seconds", type=float, default=0.0, help="how long a file takes to be indexed")
    parser.add_argument("--charges-max-output", action="store_true", help="charge max_output_tokens on arrival")
    return parser


if __name__ == "__main__":
    main()
