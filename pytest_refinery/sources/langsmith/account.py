"""Which LangSmith, and as whom: what its own environment variables say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_refinery.errors import TraceError

if TYPE_CHECKING:
    from collections.abc import Mapping

_CLOUD = "https://api.smith.langchain.com"
# A page of the cloud, and the region it is in: smith.langchain.com, eu.smith.langchain.com.
_CLOUD_PAGE = re.compile(r"(?:([a-z0-9-]+)\.)?smith\.langchain\.com", re.IGNORECASE)
_CLOUD_API = re.compile(r"(?:[a-z0-9-]+\.)?api\.smith\.langchain\.com", re.IGNORECASE)
_NO_KEY = (
    "LANGSMITH_API_KEY is not set. Set it to a key of the workspace that has the trace "
    "(LangSmith: Settings, API Keys), or save the trace as a file and name that."
)


@dataclass(frozen=True)
class Account:
    """An account of one LangSmith.

    Attributes:
        endpoint: Where its API is, without ``/api/v1``: ``https://api.smith.langchain.com``.
        is_chosen: Whether the endpoint was set, and is not just the default.
        key: Never shown.
        workspace_id: For keys that belong to several.
        project: The name or id of the project to look in.
    """

    endpoint: str
    is_chosen: bool = True
    key: str = field(default="", repr=False)
    workspace_id: str | None = None
    project: str | None = None

    @property
    def host(self) -> str:
        """What to call this LangSmith."""
        return urlsplit(self.endpoint).netloc.rpartition("@")[2]

    def headers(self) -> dict[str, str]:
        """Return the headers that say who asks.

        Raises:
            TraceError: There is no key.
        """
        if not self.key:
            raise TraceError(_NO_KEY)
        # The names are those of the API.
        return {"X-Api-Key": self.key} | ({"X-Tenant-Id": self.workspace_id} if self.workspace_id else {})

    def endpoint_for(self, page_host: str | None) -> str:
        """Return the endpoint to ask about a page of LangSmith: never one that only the address names.

        Raises:
            TraceError: The page is of another LangSmith than the endpoint.
        """
        if page_host is None or page_host == urlsplit(self.endpoint).hostname:
            return self.endpoint
        page = _CLOUD_PAGE.fullmatch(page_host)
        if not self.is_chosen:
            return _cloud_endpoint(page[1]) if page else self._refuse(page_host)
        is_cloud = _CLOUD_API.fullmatch(urlsplit(self.endpoint).hostname or "") is not None
        if page and _cloud_endpoint(page[1]) == self.endpoint:
            return self.endpoint
        return self._refuse(page_host) if page or is_cloud else self.endpoint

    def _refuse(self, page_host: str) -> str:
        said = "LANGSMITH_ENDPOINT names" if self.is_chosen else "LANGSMITH_ENDPOINT is not set, which means"
        msg = (
            f"The address is of {page_host}, but {said} {self.host}. Set LANGSMITH_ENDPOINT to the API of {page_host}: "
            "the key is sent to no host that only an address names."
        )
        raise TraceError(msg)


def from_environment(environment: Mapping[str, str]) -> Account:
    """Return the account that LangSmith's variables name; ``LANGCHAIN_`` is their older beginning.

    Raises:
        TraceError: The endpoint is no address.
    """
    written = _variable(environment, "ENDPOINT")
    endpoint = re.sub(r"/api(/v1)?$", "", (written or _CLOUD).rstrip("/"))
    _refuse_no_address(endpoint)
    return Account(
        endpoint=endpoint,
        is_chosen=written is not None,
        key=_variable(environment, "API_KEY") or "",
        workspace_id=_variable(environment, "WORKSPACE_ID"),
        project=_variable(environment, "PROJECT"),
    )


def _cloud_endpoint(region: str | None) -> str:
    return f"https://{region}.api.smith.langchain.com" if region else _CLOUD


def _variable(environment: Mapping[str, str], name: str) -> str | None:
    values = (environment.get(f"{family}_{name}", "").strip().strip("\"'") for family in ("LANGSMITH", "LANGCHAIN"))
    return next(filter(None, values), None)


def _refuse_no_address(endpoint: str) -> None:
    try:
        url = urlsplit(endpoint)
        is_address = url.scheme in {"http", "https"} and bool(url.hostname)
    except ValueError:
        is_address = False
    if not is_address:
        msg = f"LANGSMITH_ENDPOINT must be the address of an API, such as {_CLOUD}."
        raise TraceError(msg)
