"""Short ways to make requests and answers."""

from __future__ import annotations

from pytest_refinery.cassettes.bodies import NOTHING, Body
from pytest_refinery.cassettes.interactions import Interaction, Request, Response


def asked(body: object = None, url: str = "https://api.example.com/v1/responses", method: str = "POST") -> Request:
    return Request(method, url, "application/json", _body(body))


def answered(body: object = None, status: int = 200) -> Response:
    return Response(status, "", (("content-type", "application/json"),), _body(body))


def exchange(question: object, answer: object, url: str = "https://api.example.com/v1/responses") -> Interaction:
    return Interaction(asked(question, url), answered(answer))


def _body(body: object) -> Body:
    if isinstance(body, Body):
        return body
    return NOTHING if body is None else Body("json", body)  # type: ignore[arg-type]
