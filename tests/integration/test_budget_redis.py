"""The budget in a real Redis: killed processes, and a server that goes away and comes back."""

from __future__ import annotations

import socket
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


def lose_keys(url: str) -> None:
    import redis

    redis.Redis.from_url(url).flushall()


def test_what_redis_has_lost_counts_as_used(url: str) -> None:
    from pytest_refinery.budget.redis_ledger import RedisLedger

    said: list[str] = []
    ledger = RedisLedger(url, "flushed", LIMITS, tell=said.append)
    assert ledger.poll(Request("a", 60, 1)).is_granted
    lose_keys(url)
    assert not ledger.poll(Request("b", 41, 1)).is_granted
    assert ledger.poll(Request("c", 40, 1)).is_granted
    assert ledger.status().used_tokens == 100
    assert len(said) == 1
    assert said[0].startswith("The token budget in Redis was lost")


def test_where_others_used_what_redis_has_lost_all_counts_as_used(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = redis_ledger(url, "both"), redis_ledger(url, "both")
    with monkeypatch.context() as patched:
        patched.setattr(other, "_owner", lambda: "1.2.3@elsewhere")
        other.poll(Request("a", 10, 1))
    one.poll(Request("b", 10, 1))
    lose_keys(url)
    assert not one.poll(Request("c", 1, 1)).is_granted
    assert one.status().used_tokens == 100


def test_a_reset_is_no_loss(url: str) -> None:
    one = redis_ledger(url, "reset")
    one.poll(Request("a", 100, 1))
    redis_ledger(url, "reset").reset()
    assert one.poll(Request("b", 100, 1)).is_granted


@pytest.mark.parametrize("step", [-3600.0, 3600.0], ids=["back", "forward"])
def test_a_clock_of_the_server_that_is_set_changes_nothing(url: str, step: float) -> None:
    ledger = redis_ledger(url, f"clock {step}")
    now = {"server": 10_000.0, "own": 50.0}
    ledger._server_clock = lambda: now["server"]  # noqa: SLF001  (the server's clock cannot be set from here)
    ledger._clock = lambda: now["own"]  # noqa: SLF001

    def passes(seconds: float) -> None:
        now.update(server=now["server"] + seconds, own=now["own"] + seconds)

    assert ledger.poll(Request("a", 100, 1)).is_granted
    passes(10.0)
    place = ledger.poll(Request("b", 50, 1)).place
    now["server"] += step
    passes(1.0)
    position = ledger.poll(Request("b", 50, 1, place))
    assert not position.is_granted
    # Up to ten seconds had passed since the book was last written.
    assert 48.0 < position.start_in < 61.1
    passes(61.0)
    assert ledger.poll(Request("b", 50, 1, place)).is_granted


def test_a_server_that_hangs_does_not_hold_a_request_for_long(tmp_path: Path) -> None:
    port = redis_server.free_port()
    with socket.create_server(("127.0.0.1", port)):
        ledger = redis_ledger(f"redis://127.0.0.1:{port}", "hangs")
        fallback = FallbackLedger(ledger, MemoryLedger(LIMITS), tell=lambda _: None, meanwhile="We go on.")
        began = time.monotonic()
        SharedBudget(fallback, tell=lambda _: None).reserve(10, timeout=3.0)
        assert time.monotonic() - began < 3.0


def test_threads_behind_another_of_their_process_keep_their_places(url: str) -> None:
    limits = Limits(tokens=100, minute=60.0, guard=0.0)
    here, there = redis_ledger(url, "places", limits), redis_ledger(url, "places", limits)
    now = [1000.0]
    for ledger in (here, there):
        ledger._server_clock = ledger._clock = lambda: now[0]  # noqa: SLF001
    there._owner = lambda: "1.2.3@elsewhere"  # type: ignore[method-assign]  # noqa: SLF001
    assert here.poll(Request("full", 100, 1)).is_granted
    places = [here.poll(Request(name, 40, 1)).place for name in ("a1", "a2")]
    there.poll(Request("b1", 40, 1))
    for _ in range(20):
        now[0] += 1.0
        here.poll(Request("a1", 40, 1, places[0]))
        there.poll(Request("b1", 40, 1, 4))
    assert [entry.tokens for entry in here.status().waiting] == [40, 40, 40]
