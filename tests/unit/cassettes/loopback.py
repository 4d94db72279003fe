"""A small HTTP server on this machine that answers as it is told and remembers what it was sent."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Sent:
    """What a client sent; the names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True)
class Said:
    """What the server says."""

    content: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    status: int = 200


@dataclass
class Loopback:
    """A running server."""

    url: str
    log: list[Sent] = field(default_factory=list)


@contextlib.contextmanager
def loopback(answer: Callable[[Sent], Said]) -> Iterator[Loopback]:
    """Run a server that answers with ``answer``, in several threads at once."""
    running = Loopback("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            sent = Sent(self.command, self.path, headers, self.rfile.read(length))
            running.log.append(sent)
            said = answer(sent)
            self.send_response(said.status)
            for name, value in {**said.headers, "content-length": str(len(said.content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.content)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815  (as http.server)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (as http.server)
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        running.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield running
        finally:
            server.shutdown()
