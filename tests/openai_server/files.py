"""Uploaded files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.openai_server import listing
from tests.openai_server.messages import JsonObject, Request, ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.openai_server.terms import Terms

_MOST_IN_A_PAGE = 10_000


@dataclass(frozen=True)
class StoredFile:
    """A file with its content."""

    id: str
    filename: str
    content: bytes
    purpose: str
    created_at: int
    expires_at: int | None

    @property
    def text(self) -> str:
        """The content as text."""
        return self.content.decode("utf-8", errors="replace")

    @property
    def json(self) -> JsonObject:
        """How the service shows it."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


class Files:
    """All files of the account."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._files: dict[str, StoredFile] = {}

    def create(self, request: Request) -> JsonObject:
        """Keep an upload."""
        if request.upload is None:
            raise ServiceError("Missing required parameter: 'file'.", param="file", code="missing_required_parameter")
        now = int(self._terms.clock())
        lasting = request.body.get("expires_after")
        stored = StoredFile(
            id=listing.new_id("file-"),
            filename=request.upload.filename,
            content=request.upload.content,
            purpose=request.body["purpose"],
            created_at=now,
            expires_at=None if lasting is None else now + int(lasting["seconds"]),
        )
        self._files[stored.id] = stored
        return stored.json

    def retrieve(self, _request: Request, file_id: str) -> JsonObject:
        """Show a file."""
        return self.get(file_id).json

    def listed(self, request: Request) -> JsonObject:
        """Show a page of files."""
        rows = [stored.json for stored in self._present() if self._is_wanted(stored, request.query)]
        return listing.page(rows, request.query, limit=_MOST_IN_A_PAGE, most=_MOST_IN_A_PAGE)

    def delete(self, _request: Request, file_id: str) -> JsonObject:
        """Remove a file."""
        self.get(file_id)
        del self._files[file_id]
        return {"id": file_id, "object": "file", "deleted": True}

    def get(self, file_id: str) -> StoredFile:
        """Return a file that is there and has not expired.

        Raises:
            ServiceError: With status 404 where there is none.
        """
        found = next((stored for stored in self._present() if stored.id == file_id), None)
        if found is None:
            raise ServiceError(f"No such File object: {file_id}", param="id", status=404)
        return found

    def has(self, file_id: str) -> bool:
        """Tell whether the file is there and has not expired."""
        return any(stored.id == file_id for stored in self._present())

    def _present(self) -> list[StoredFile]:
        now = self._terms.clock()
        return [stored for stored in self._files.values() if stored.expires_at is None or stored.expires_at > now]

    @staticmethod
    def _is_wanted(stored: StoredFile, query: Mapping[str, str]) -> bool:
        return query.get("purpose") in {None, stored.purpose}
