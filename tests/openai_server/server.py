"""The service on a port of this machine."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.openai_server import forms, journal, listing
from tests.openai_server.app import App
from tests.openai_server.messages import Answer, Request, ServiceError
from tests.openai_server.terms import Terms

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from tests.openai_server.faults import Faults
    from tests.openai_server.journal import Exchange

_PREFIX = "/v1"


@dataclass(kw_only=True, eq=False)
class OpenAIServer(Terms):
    """The service, to be used as a context manager; its arguments are the terms.

    Attributes:
        port: 0 for any that is free; the one in use once it runs.
    """

    port: int = 0

    def __post_init__(self) -> None:
        """Make an account with nothing in it."""
        self.app = App(self)
        self._listener: _Listener | None = None

    def __enter__(self) -> Self:
        """Start."""
        listener = self._listener = _Listener(self.port, self.app)
        self.port = listener.server_address[1]
        threading.Thread(target=listener.serve_forever, args=(0.01,), name="openai-server", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and end every connection."""
        if self._listener is not None:
            self._listener.end()

    @property
    def base_url(self) -> str:
        """What ``OPENAI_BASE_URL`` has to be."""
        return f"http://127.0.0.1:{self.port}{_PREFIX}"

    @property
    def faults(self) -> Faults:
        """What shall go wrong."""
        return self.app.faults

    @property
    def log(self) -> list[Exchange]:
        """All exchanges so far."""
        return self.app.journal.exchanges()

    def requests(self, method: str, path: str) -> list[Exchange]:
        """Return the exchanges of one kind of request.

        Args:
            method: ``POST``.
            path: As the specification writes it: ``/vector_stores/{vector_store_id}/file_batches``.
        """
        route = next(route for route in self.app.routes if (route.method, route.path) == (method, path))
        return [each for each in self.log if each.method == method and route.pattern.fullmatch(each.path)]

    @property
    def refusals(self) -> list[Exchange]:
        """The exchanges that ended with a 429."""
        return [each for each in self.log if each.status == HTTPStatus.TOO_MANY_REQUESTS]

    @property
    def tokens_used(self) -> int:
        """All tokens charged so far."""
        return self.app.gate.charged()

    @property
    def most_tokens_in_a_minute(self) -> int:
        """The most tokens of one model charged in any minute."""
        return self.app.gate.most_in_any_minute()

    @property
    def most_responses_at_once(self) -> int:
        """How many responses were under way at the same time."""
        return journal.most_at_once(self.requests("POST", "/responses"))


class _Listener(ThreadingHTTPServer):
    """Accepts connections and knows those that are open."""

    daemon_threads = True
    allow_reuse_address = True
    # Many clients start at the same moment.
    request_queue_size = 256

    def __init__(self, port: int, app: App) -> None:
        self.app = app
        self.has_ended = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # Without the look-up of the host's name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def end(self) -> None:
        """Stop listening and end every connection."""
        self.has_ended.set()
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
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (as http.server)
        """Write no line for each request: the journal does."""

    def _answer(self) -> None:
        try:
            request = self._request()
        except ServiceError as error:
            self._send(error.answer)
        else:
            self._send(self.server.app.answer(request))

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        body, upload = forms.parsed(content, self.headers.get("content-type") or "")
        scheme, _, key = (self.headers.get("authorization") or "").partition(" ")
        return Request(
            method=self.command,
            path=unquote(parts.path.removeprefix(_PREFIX)),
            query=dict(parse_qsl(parts.query)),
            body=body,
            upload=upload,
            key=key if scheme.lower() == "bearer" and key else None,
        )

    def _send(self, answer: Answer) -> None:
        if answer.is_stalled:
            self.server.has_ended.wait()
            self.close_connection = True
            return
        content = (json.dumps(answer.body) if answer.page is None else answer.page).encode()
        self.send_response(answer.status)
        for name, value in {**_usual_headers(), **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if answer.cut_after is None:
            self.wfile.write(content)
        else:
            self.wfile.write(content[: int(len(content) * answer.cut_after)])
            self.close_connection = True


def _usual_headers() -> dict[str, str]:
    return {"content-type": "application/json", "x-request-id": listing.new_id("req_")}
