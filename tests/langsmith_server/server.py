"""The service on a port of this machine."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.langsmith_server.app import App
from tests.langsmith_server.messages import Answer, Request
from tests.langsmith_server.terms import Terms

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from tests.langsmith_server.faults import Faults
    from tests.langsmith_server.messages import Exchange
    from tests.langsmith_server.store import Store, Trace


@dataclass(kw_only=True, eq=False)
class LangSmithServer(Terms):
    """The service, to be used as a context manager; its arguments are the terms.

    Attributes:
        port: 0 for any that is free; the one in use once it runs.
    """

    port: int = 0

    def __post_init__(self) -> None:
        """Make a workspace with nothing in it."""
        self.app = App(self, lambda: self.endpoint)
        self._listener: _Listener | None = None

    def __enter__(self) -> Self:
        """Start."""
        listener = self._listener = _Listener(self.port, self.app)
        self.port = listener.server_address[1]
        threading.Thread(target=listener.serve_forever, args=(0.01,), name="langsmith-server", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and end every connection."""
        if self._listener is not None:
            self._listener.end()

    @property
    def endpoint(self) -> str:
        """What ``LANGSMITH_ENDPOINT`` has to be."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> Store:
        """Its projects and traces."""
        return self.app.store

    @property
    def faults(self) -> Faults:
        """What shall go wrong."""
        return self.app.faults

    @property
    def log(self) -> list[Exchange]:
        """All exchanges so far."""
        return list(self.app.log)

    @property
    def asked(self) -> list[str]:
        """The method and path of each request so far."""
        return [f"{each.request.method} {each.request.path}" for each in self.log]

    def page_of(self, trace: Trace, run_id: str | None = None, query: str = "") -> str:
        """Return the address of the page that shows a run, the root if no other is named."""
        return f"{self.endpoint}/o/0/projects/p/{trace.project_id}/r/{run_id or trace.id}{query}"


class _Listener(ThreadingHTTPServer):
    """Accepts connections and knows those that are open."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, port: int, app: App) -> None:
        self.app = app
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # Without the look-up of the host's name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def end(self) -> None:
        """Stop listening and end every connection."""
        self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  (as socketserver)
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401  (as socketserver)
        with self._lock:
            self._open.discard(request)
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  (as socketserver)
        """Say nothing when a client leaves in the middle."""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Head and body in one packet.
    wbufsize = -1

    def do_GET(self) -> None:
        self._send(self.server.app.answer(self._request()))

    def do_POST(self) -> None:
        self._send(self.server.app.answer(self._request()))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (as http.server)
        """Write no line for each request: the log is there for tests."""

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        return Request(
            method=self.command,
            path=parts.path,
            query=parse_qs(parts.query),
            body=json.loads(content) if content else {},
            key=self.headers.get("x-api-key"),
            workspace=self.headers.get("x-tenant-id"),
        )

    def _send(self, answer: Answer) -> None:
        content = answer.content
        self.send_response(answer.status)
        for name, value in {"content-type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if answer.is_cut else content)
        self.close_connection = self.close_connection or answer.is_cut
