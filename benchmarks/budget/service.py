"""A service on 127.0.0.1 that enforces tokens per minute, and keeps a log of what arrived.

It charges what a request really costs, on arrival, and gives nothing back: a client that estimates too little
is refused as soon as that matters. Its arithmetic is its own.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

_SERVICE_SECONDS = 0.005


@dataclass(frozen=True)
class Arrival:
    """A request as it arrived: when, by the clock of the machine, and whether it was let in."""

    request: int
    at: float
    tokens: int
    is_admitted: bool


class Enforcer(Protocol):
    """Says whether a request is let in, and how long to wait if not."""

    def seconds_until(self, tokens: int, now: float) -> float:
        """Return 0 for a request that is let in, and charged."""
        ...


class Sliding:
    """At most the limit in any minute."""

    def __init__(self, limit: int, minute: float) -> None:
        self._limit, self._minute = limit, minute
        self._admitted: deque[tuple[float, int]] = deque()

    def seconds_until(self, tokens: int, now: float) -> float:
        """Return how long until enough of the minute's oldest requests have left it."""
        while self._admitted and self._admitted[0][0] <= now - self._minute:
            self._admitted.popleft()
        excess = tokens + sum(admitted for _, admitted in self._admitted) - self._limit
        if excess <= 0:
            self._admitted.append((now, tokens))
            return 0.0
        for at, admitted in self._admitted:
            excess -= admitted
            if excess <= 0:
                return at + self._minute - now
        return self._minute


class Bucket:
    """A capacity of the limit, refilled continuously."""

    def __init__(self, limit: int, minute: float) -> None:
        self._limit, self._rate = limit, limit / minute
        self._level, self._at = float(limit), 0.0

    def seconds_until(self, tokens: int, now: float) -> float:
        """Return how long until the bucket holds the tokens."""
        self._level = min(self._limit, self._level + (now - self._at) * self._rate)
        self._at = now
        if tokens <= self._level:
            self._level -= tokens
            return 0.0
        return (tokens - self._level) / self._rate


ENFORCERS: dict[str, type[Sliding | Bucket]] = {"sliding": Sliding, "bucket": Bucket}


@dataclass(frozen=True)
class Service:
    """A service that runs in a process of its own."""

    port: int
    _pipe: Connection

    def log(self) -> list[Arrival]:
        """Return what has arrived so far, and forget it."""
        self._pipe.send("log")
        return [Arrival(*row) for row in self._pipe.recv()]


@contextmanager
def running(model: str, *, limit: int, minute: float) -> Iterator[Service]:
    """Run a service until the block ends."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(model, limit, minute, theirs), daemon=True)
    process.start()
    try:
        yield Service(ours.recv(), ours)
    finally:
        process.terminate()
        process.join()


def _serve(model: str, limit: int, minute: float, pipe: Connection) -> None:
    asyncio.run(_Server(ENFORCERS[model](limit, minute), limit).serve(pipe))


class _Server:
    def __init__(self, enforcer: Enforcer, limit: int) -> None:
        self._enforcer = enforcer
        self._limit = limit
        self._log: list[tuple[int, float, int, bool]] = []

    async def serve(self, pipe: Connection) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        asyncio.get_running_loop().add_reader(pipe.fileno(), self._hand_over_log, pipe)
        await server.serve_forever()

    def _hand_over_log(self, pipe: Connection) -> None:
        try:
            pipe.recv()
        except EOFError:
            asyncio.get_running_loop().stop()
            return
        pipe.send(self._log)
        self._log = []

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                now = time.monotonic()
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                writer.write(await self._answer(json.loads(await reader.readexactly(length)), now))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, request: dict[str, int], now: float) -> bytes:
        wait = self._enforcer.seconds_until(request["tokens"], now)
        self._log.append((request["id"], now, request["tokens"], wait == 0))
        if wait == 0:
            await asyncio.sleep(_SERVICE_SECONDS)
            return _response(200, {"tokens": request["tokens"]})
        message = f"Rate limit reached on tokens per min (TPM): Limit {self._limit}. Please try again in {wait:.3f}s."
        error = {"message": message, "code": "rate_limit_exceeded"}
        return _response(429, {"error": error}, f"Retry-After: {wait}\r\n")


def _response(status: int, body: object, headers: str = "") -> bytes:
    text = json.dumps(body)
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n{headers}\r\n{text}".encode()
