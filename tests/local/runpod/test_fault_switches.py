"""Whom a fault strikes: always, by chance, the next jobs, or chosen ones."""

import threading

import httpx
import pytest

from infra.local.runpod.client import SimulatorClient
from tests.local.runpod.submitting import run, status


@pytest.fixture(autouse=True)
def instant(sim: SimulatorClient) -> None:
    sim.behave("ep", mode="instant", output={"x": 1})


def test_a_fault_strikes_the_next_jobs_only(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.fault("ep", "F8", next=2)
    bare = ["output" not in status(api, run(api)) for _ in range(4)]
    assert bare == [True, True, False, False]
    assert sim.faults()["struck"] == [{"endpoint": "ep", "fault": "F8", "times": 2}]


def test_a_fault_strikes_chosen_jobs_by_index(sim: SimulatorClient, api: httpx.Client) -> None:
    sim.fault("ep", "F8", indexes=[1, 3])
    bare = ["output" not in status(api, run(api)) for _ in range(5)]
    assert bare == [False, True, False, True, False]


def test_a_fault_of_one_endpoint_leaves_the_others_alone(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    sim.add_endpoint("other")
    sim.fault("other", "F8")
    assert "output" in status(api, run(api))
    sim.fault(None, "F8")
    assert "output" not in status(api, run(api))


def test_the_seed_decides_which_jobs_a_probable_fault_strikes(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    def pattern(seed: int) -> list[bool]:
        sim.reset()
        sim.set_seed(seed)
        sim.behave("ep", mode="instant", output=1)
        sim.fault("ep", "F8", probability=0.5)
        return ["output" not in status(api, run(api)) for _ in range(24)]

    first = pattern(7)
    assert pattern(7) == first
    assert pattern(8) != first
    assert 4 <= sum(first) <= 20


def test_the_seed_decides_alike_whatever_the_order_of_requests(
    sim: SimulatorClient, api: httpx.Client
) -> None:
    def struck() -> set[int]:
        sim.reset()
        sim.behave("ep", mode="instant", output=1)
        sim.fault("ep", "F8", probability=0.5)
        threads = [threading.Thread(target=run, args=(api,)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {job["index"] for job in sim.jobs("ep") if "output" not in job}

    assert struck() == struck()


@pytest.mark.parametrize(("fault", "variant"), [("F21", None), ("F2", "never")])
def test_an_unknown_fault_or_variant_is_refused(
    sim: SimulatorClient, fault: str, variant: str | None
) -> None:
    with pytest.raises(ValueError, match=r"no (fault|variant)|has no variant"):
        sim.fault("ep", fault, variant=variant)
