"""The budget in a real Redis: killed processes, and a server that goes away and comes back."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from pytest_refinery import wiring
from pytest_refinery.budget.fallback_ledger import FallbackLedger
from pytest_refinery.budget.ledger import LedgerUnavailableError, Request
from pytest_refinery.budget.state_ledger import MemoryLedger
from pytest_refinery.budget.token_budget import SharedBudget
from pytest_refinery.budget.window import Limits
from pytest_refinery.settings import Settings
from tests import redis_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_refinery.budget.redis_ledger import RedisLedger

LIMITS = Limits(tokens=100)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server.running(tmp_path_factory.mktemp("redis")) as address:
        yield address


def redis_ledger(url: str, account: str, limits: Limits = LIMITS) -> RedisLedger:
    from pytest_refinery.budget.redis_ledger import RedisLedger

    return RedisLedger(url, account, limits)


def test_two_machines_share_an_account(url: str) -> None:
    one, other = redis_ledger(url, "shared"), redis_ledger(url, "shared")
    assert one.poll(Request("a", 60, 1)).is_granted
    assert not other.poll(Request("b", 60, 1)).is_granted
    assert redis_ledger(url, "another").poll(Request("c", 60, 1)).is_granted


def test_it_waits_by_the_clock_of_the_server(url: str) -> None:
    limits = Limits(tokens=100, minute=0.3, guard=0.0)
    budget = SharedBudget(redis_ledger(url, "waits", limits), tell=pytest.fail)
    budget.reserve(100).settle(100)
    assert 0.25 < budget.reserve(100).seconds_waited < 3.0


def test_the_place_of_a_killed_process_is_free_soon(url: str) -> None:
    ledger = redis_ledger(url, "killed")
    ledger.poll(Request("first", 50, 1))
    script = (
        "import time\n"
        "from pytest_refinery.budget.ledger import Request\n"
        "from pytest_refinery.budget.window import Limits\n"
        "from pytest_refinery.budget.redis_ledger import RedisLedger\n"
        f"RedisLedger({url!r}, 'killed', Limits(tokens=100)).poll(Request('victim', 100, 1))\n"
        "print('waiting', flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"waiting\n"
        victim.kill()
    assert 0.0 < SharedBudget(ledger, tell=pytest.fail).reserve(50, timeout=20.0).seconds_waited < 10.0


def test_its_key_expires(url: str) -> None:
    import redis

    redis_ledger(url, "expires").poll(Request("a", 1, 1))
    lifetime = redis.Redis.from_url(url).ttl("pytest-refinery:budget:2:expires")
    assert isinstance(lifetime, int)
    assert 0 < lifetime <= 4200


def test_a_server_that_goes_away_is_replaced_until_it_comes_back(tmp_path: Path) -> None:
    port = redis_server.free_port()
    now = [time.monotonic()]
    said: list[str] = []
    with redis_server.running(tmp_path, port=port) as url:
        ledger = redis_ledger(url, "away")
        budget = FallbackLedger(
            ledger, MemoryLedger(LIMITS), tell=said.append, meanwhile="We go on.", clock=lambda: now[0]
        )
        assert budget.poll(Request("a", 100, 1)).is_granted
        budget.settle("a", 30)
    assert not budget.poll(Request("b", 71, 1)).is_granted
    budget.withdraw("b")
    assert budget.poll(Request("c", 70, 1)).is_granted
    assert len(said) == 1
    assert said[0].endswith("We go on.")
    with redis_server.running(tmp_path, port=port):
        now[0] += 20.0
        assert not budget.poll(Request("d", 31, 1)).is_granted
        assert ledger.status().used_tokens == 100
    assert said[1:] == ["The shared token budget is in use again."]


def test_a_server_that_is_not_there_is_out_of_reach_for_every_question() -> None:
    pytest.importorskip("redis", reason="the extra redis is not installed")
    ledger = redis_ledger(f"redis://127.0.0.1:{redis_server.free_port()}", "none")
    with pytest.raises(LedgerUnavailableError, match="Redis does not answer"):
        ledger.status()
    with pytest.raises(LedgerUnavailableError, match="Redis does not answer"):
        ledger.reset()


def test_the_setting_leads_to_redis(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    ledger = wiring.build(Settings(budget_url=url, tpm=77), wiring.Hooks(show=pytest.fail)).ledger
    assert ledger.poll(Request("a", 77, 1)).is_granted
    assert ledger.status().limit_tokens == 77
    assert list(tmp_path.rglob("budget-*.json")) == []
    ledger.reset()
