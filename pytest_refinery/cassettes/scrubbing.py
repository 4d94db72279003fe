"""Takes out of requests and answers what nobody may read in a cassette. No file, no network.

What is found is replaced by one word, the same everywhere: a request that was made with another key still finds its
answer, and what has been scrubbed stays as it is when it is scrubbed again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from pytest_refinery.cassettes import personal_data, secret_shapes
from pytest_refinery.cassettes.secret_shapes import REMOVED
from pytest_refinery.errors import CassetteError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_refinery.cassettes.bodies import Body
    from pytest_refinery.cassettes.interactions import Request, Response
    from pytest_refinery.traces.model import Json


@dataclass(frozen=True)
class Scrubber:
    """Removes secrets, and what the user names.

    Attributes:
        patterns: Regular expressions of what is removed besides.
        callables: Each gets a text and returns it without what must not stay, or ``None`` to leave it as it is.
        personal: Whether e-mail addresses, card numbers and phone numbers are replaced.
    """

    patterns: tuple[str, ...] = ()
    callables: tuple[Callable[[str], str | None], ...] = field(default=(), repr=False)
    personal: bool = False

    def request(self, request: Request) -> Request:
        """Return a request without secrets."""
        return replace(request, url=self.text(request.url), body=self.body(request.body))

    def response(self, response: Response) -> Response:
        """Return an answer without secrets."""
        headers = tuple((name, self.text(value)) for name, value in response.headers)
        return replace(response, headers=headers, body=self.body(response.body))

    def body(self, body: Body) -> Body:
        """Return a body without secrets."""
        if body.kind == "base64":
            return body
        if body.kind == "multipart":
            return replace(body, value=[self._part(part) for part in cast("list[dict[str, Json]]", body.value)])
        return replace(body, value=self.json(body.value))

    def json(self, value: Json) -> Json:
        """Return a JSON value without secrets, in its texts and under the names that secrets have."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.json(item) for item in value]
        if isinstance(value, dict):
            return {self.text(name): self._named(name, item) for name, item in value.items()}
        return value

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        for called in self.callables:
            text = _changed_by(called, text)
        for pattern in self.patterns:
            # What is removed stays removed, also where a pattern fits the word that stands for it.
            text = REMOVED.join(re.sub(pattern, REMOVED, piece) for piece in text.split(REMOVED))
        text = secret_shapes.removed(text)
        return personal_data.removed(text) if self.personal else text

    def _part(self, part: dict[str, Json]) -> Json:
        scrubbed = {name: value if name == "base64" else self.json(value) for name, value in part.items()}
        if "text" in part:
            scrubbed["text"] = self._named(str(part.get("name")), part["text"])
        return scrubbed

    def _named(self, name: str, value: Json) -> Json:
        if isinstance(value, list):
            return [self._named(name, item) for item in value]
        if isinstance(value, str) and value and secret_shapes.is_secret_field(name, value):
            return REMOVED
        return self.json(value)


def _changed_by(called: Callable[[str], str | None], text: str) -> str:
    try:
        found = called(text)
    except Exception as error:  # noqa: BLE001  (a user's function)
        # Without the cause: its message may hold the text.
        msg = f"A hook pytest_refinery_scrub failed with {type(error).__name__}: nothing can be recorded or replayed."
        raise CassetteError(msg) from None
    return text if found is None else found
