"""Our own refusal to let a request out, and the order in which files are attached."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from pytest_refinery.analysis.diagnosis_job import TimedJob
from pytest_refinery.analysts.model.openai_service import OpenAIService
from pytest_refinery.analysts.model.service_errors import RequestRejected
from pytest_refinery.analysts.model.store_index import NoIndex
from pytest_refinery.analysts.model.vector_stores import VectorStores
from pytest_refinery.digest import grouping, render
from pytest_refinery.errors import CassetteMissError
from tests.fakes import make_case

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SENTENCE = "a::one: POST https://api.openai.com/v1/responses is not in cassettes/a/one.yaml."


def test_a_request_that_no_cassette_holds_is_refused_for_good_in_the_cassettes_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def miss(*_: object) -> None:
        raise CassetteMissError(SENTENCE)

    monkeypatch.setattr(httpx2.HTTPTransport, "handle_request", miss)
    service = OpenAIService(api_key="none", base_url="https://api.openai.com/v1")
    with pytest.raises(RequestRejected) as caught:
        service.respond({"model": "m", "input": "Hello."}, timeout=1)
    assert str(caught.value) == SENTENCE


class SlowFirst:
    """A store whose first upload ends last."""

    def __init__(self) -> None:
        self.attached: list[str] = []
        self._others = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._number = 0
        self._files: dict[str, str] = {}

    def upload(self, name: str, text: str, *, lasting_seconds: int | None) -> str:
        with self._lock:
            self._number += 1
            number = self._number
            self._files[f"file-{number}"] = name
        if number == 1:
            self._others.acquire(timeout=10)
        else:
            self._others.release()
        return f"file-{number}"

    def create_store(self, name: str, metadata: Mapping[str, str], *, lasting_days: int | None) -> str:
        return "vs_1"

    def store(self, store_id: str) -> dict[str, Any]:
        return {"status": "completed"}

    def files_in_store(self, store_id: str) -> Iterator[dict[str, Any]]:
        yield from ({"id": file_id, "status": "completed"} for file_id in self._files)

    def attach(self, store_id: str, files: Sequence[dict[str, Any]]) -> dict[str, Any]:
        self.attached = [self._files[each["file_id"]] for each in files]
        return {"id": "b_1", "status": "completed", "file_counts": {"total": len(files)}}

    def batch(self, store_id: str, batch_id: str) -> dict[str, Any]:
        return {}

    def attach_one(self, store_id: str, file: dict[str, Any]) -> dict[str, Any]:
        return {}


def test_files_are_attached_in_the_order_of_the_groups_whichever_upload_ends_first() -> None:
    case = make_case(*(f"It has done step {number}." for number in range(6)))
    groups = grouping.group(render.digest(case.trace), group_tokens=10_000, group_size_runs=2)
    stores = SlowFirst()
    uploaded = VectorStores(lambda: stores, NoIndex(), is_wanted=True).upload(case, groups, TimedJob(10))
    assert uploaded is not None
    assert [name for name in stores.attached if name.startswith("g")] == [group.filename for group in groups]
    assert uploaded.groups == {group.name for group in groups}
