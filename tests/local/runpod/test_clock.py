"""The clock: real, scaled, or told; timers always in the order of their due times."""

import asyncio
import time

import httpx
import pytest

from infra.local.runpod.client import SimulatorClient
from infra.local.runpod.clock import Clock
from infra.local.runpod.testing import running_simulator


def test_a_step_fires_timers_in_the_order_of_their_due_times() -> None:
    async def story() -> list[tuple[str, float]]:
        clock = Clock(manual=True)
        began = clock.now()
        fired: list[tuple[str, float]] = []

        def note(name: str) -> None:
            fired.append((name, clock.now() - began))
            if name == "first":
                clock.call_later(1, lambda: note("born of first"))

        clock.call_later(5, lambda: note("last"))
        clock.call_later(1, lambda: note("first"))
        clock.call_later(3, lambda: note("middle"))
        clock.call_later(9, lambda: note("beyond"))
        await clock.advance(6)
        return fired

    fired = asyncio.run(story())
    assert [name for name, _ in fired] == ["first", "born of first", "middle", "last"]
    assert [at for _, at in fired] == pytest.approx([1, 2, 3, 5])


def test_a_cancelled_timer_stays_silent() -> None:
    async def story() -> list[str]:
        clock = Clock(manual=True)
        fired: list[str] = []
        clock.call_later(1, lambda: fired.append("cancelled")).cancel()
        clock.call_later(1, lambda: fired.append("kept"))
        await clock.advance(2)
        return fired

    assert asyncio.run(story()) == ["kept"]


def test_a_manual_clock_stands_still() -> None:
    with running_simulator(manual_clock=True) as sim:
        before = sim.now()
        time.sleep(0.02)
        assert sim.now() == before
        sim.advance(3600)
        assert sim.now() == pytest.approx(before + 3600)


def test_a_scaled_clock_runs_faster_and_fires_its_timers() -> None:
    with running_simulator(endpoints=["ep"], time_scale=100) as sim:
        sim.behave("ep", mode="script", queue_ms=10_000, run_ms=10_000, output=1)
        began = time.monotonic()
        submit(sim)
        job = sim.wait_for("ep", lambda jobs: jobs[0]["status"] == "COMPLETED")[0]
        assert 0.15 < time.monotonic() - began < 2
        assert 10_000 <= job["delayTime"] < 30_000


def test_a_real_clock_can_be_pushed_ahead() -> None:
    with running_simulator(endpoints=["ep"]) as sim:
        sim.behave("ep", mode="script", queue_ms=60_000, output=1)
        submit(sim)
        sim.advance(61)
        assert sim.jobs("ep")[0]["status"] == "COMPLETED"
        assert sim.now() > time.time() + 60


def test_a_clock_can_be_stopped_and_started_without_a_jump() -> None:
    with running_simulator(endpoints=["ep"]) as sim:
        sim.set_clock(manual=True)
        sim.advance(1000)
        stopped = sim.now()
        sim.behave("ep", mode="script", queue_ms=50, output=1)
        submit(sim)
        sim.set_clock(manual=False, scale=1)
        assert stopped <= sim.now() < stopped + 1
        sim.wait_for("ep", lambda jobs: jobs[0]["status"] == "COMPLETED")


def submit(sim: SimulatorClient) -> None:
    reply = httpx.post(
        f"{sim.base_url}/ep/run", headers={"Authorization": sim.key}, json={"input": {"a": 1}}
    )
    assert reply.status_code == 200


@pytest.mark.parametrize("told", [{"advance": -1}, {"scale": 0}, {"scale": -2}])
def test_a_clock_refuses_to_stop_by_speed_or_to_run_backwards(told: dict[str, float]) -> None:
    with running_simulator() as sim:
        reply = httpx.post(f"{sim.address}/_sim/clock", json=told)
        assert reply.status_code == 400
        assert "problem" in reply.json()
