from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from pytest_refinery.integration.workers import DiagnosisLimit, SharedFolder, shared_folder

if TYPE_CHECKING:
    import pytest


def test_all_workers_are_told_of_one_folder_which_goes_with_the_session(pytestconfig: pytest.Config) -> None:
    shared, nodes = SharedFolder(), [SimpleNamespace(workerinput={}, config=pytestconfig) for _ in range(2)]
    for node in nodes:
        shared.pytest_configure_node(node)
    (folder,) = {node.workerinput["refinery_folder"] for node in nodes}
    assert Path(folder).is_dir()
    shared.pytest_unconfigure()
    assert not Path(folder).exists()


def test_a_process_that_is_no_worker_shares_nothing(pytestconfig: pytest.Config) -> None:
    alone = SimpleNamespace(rootpath=pytestconfig.rootpath)
    assert shared_folder(alone) is None  # type: ignore[arg-type]
    SharedFolder().pytest_unconfigure()


def test_places_are_handed_out_over_all_workers(tmp_path: Path) -> None:
    workers = [DiagnosisLimit(3, folder=tmp_path / "shared") for _ in range(2)]
    taken = [worker.take() for _ in range(3) for worker in workers]
    assert taken.count(True) == 3


def test_a_process_alone_counts_for_itself() -> None:
    limit = DiagnosisLimit(2)
    assert [limit.take() for _ in range(3)] == [True, True, False]
    assert all(DiagnosisLimit(None).take() for _ in range(5))
