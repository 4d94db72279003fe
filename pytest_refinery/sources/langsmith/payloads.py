"""Inputs and outputs that LangSmith stores apart from their run, because they are large."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from pytest_refinery.errors import TraceError
from pytest_refinery.sources.langsmith.client import OTHER
from pytest_refinery.sources.langsmith.transport import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_refinery.sources.langsmith.client import Service
    from pytest_refinery.traces.model import Json

Record = dict[str, Any]

_SIDES = ("inputs", "outputs")
# The part of a payload that is all of it.
_WHOLE = "ROOT"
# LangSmith takes no run of more than 20 MB.
_MOST_BYTES = 64 * 1024 * 1024
_AT_ONCE = 8
# Who knows them may read the trace, or a part of it; and attachments are no one's business here.
_SECRET = frozenset({"share_token", "share_url", "attachments", "s3_urls", "inputs_s3_urls", "outputs_s3_urls"})


class _Part(NamedTuple):
    """Where a part of a run's inputs or outputs is kept."""

    record: Record
    side: str
    name: str
    url: str


def fill_in(records: Sequence[Record], service: Service) -> None:
    """Read what is stored apart into ``records``, and remove the addresses: they are good for anybody who has them.

    Each address is asked as it stands in LangSmith's own answer, without the key, without following redirects.

    Raises:
        TraceError: Something cannot be read.
    """
    parts = [part for record in records for part in _parts(record)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for part, value in zip(parts, pool.map(lambda part: _read(part, service), parts), strict=True):
            _put(part, value)
    for record in records:
        for name in _SECRET & record.keys():
            del record[name]


def _parts(record: Record) -> Iterator[_Part]:
    for side in _SIDES:
        places = record.get(f"{side}_s3_urls")
        if record.get(side) or not isinstance(places, dict):
            continue
        for name, place in places.items():
            url = place.get("presigned_url") if isinstance(place, dict) else None
            if isinstance(url, str) and url:
                yield _Part(record, side, name, url)


def _put(part: _Part, value: Json) -> None:
    if part.name == _WHOLE:
        part.record[part.side] = value
    else:
        part.record[part.side] = {**(part.record.get(part.side) or {}), part.name: value}


def _read(part: _Part, service: Service) -> Json:
    # Some backends serve it themselves, under a path of theirs.
    url = urljoin(f"{service.endpoint}/", part.url)
    address = urlsplit(url)
    what = f"The {part.side} of run {part.record.get('id')} ({part.record.get('name')}) are stored apart from it"
    if address.scheme not in {"https", urlsplit(service.endpoint).scheme}:
        msg = f"{what}, on {address.hostname} without encryption; they are not read from there."
        raise TraceError(msg)
    response = service.answer(Request("GET", url, most_bytes=_MOST_BYTES), OTHER)
    if response.status == HTTPStatus.OK:
        return service.parsed(response)
    msg = f"{what}, on {address.hostname}, which refuses them ({response.status}). {_way_out(response.status)}"
    raise TraceError(msg)


def _way_out(status: int) -> str:
    if status in {HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED, HTTPStatus.GONE}:
        return "The address that LangSmith gave has expired, or the clock of this machine is wrong: run again."
    return "Without them the trace is not whole, so nothing is decided; run again later."
