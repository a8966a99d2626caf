"""Test runs: they block until there is something to show, cost nothing, and are counted (K12)."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from tests.contract.studio_client import Refused, StudioClient, rendered
from tests.world import SDXL_OUTPUT, Caller, World

MODELS = "/api/studio/tars-models"


class Bench:
    """A developer with a draft on the test page."""

    def __init__(self, world: World) -> None:
        developer = world.developer()
        base_id, self.endpoint = world.base_model()
        body = {"baseModelId": base_id, "title": "Neon", "slug": "neon", "priceCredits": 10}
        self.world, self.developer, self.base_id = world, developer, base_id
        self.model = str(developer.ok("POST", MODELS, body)["id"])
        self.client = StudioClient(world.base, developer.token)
        self.path = f"{MODELS}/{self.model}/test-run"

    def behave(self, **behaviour: Any) -> None:
        self.world.simulator.behave(self.endpoint, behaviour)

    def run(self, prompt: str = "a lighthouse", **inputs: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.post(
            self.path, {"inputs": {"prompt": prompt, **inputs}}
        )
        return answer

    def jobs(self) -> list[dict[str, Any]]:
        return self.world.simulator.jobs(self.endpoint)


@pytest.fixture
def bench(world: World) -> Bench:
    return Bench(world)


@contextmanager
def time_passing(world: World, *, seconds: float) -> Iterator[None]:
    """Lets the clock run, that many seconds in every fiftieth of a second, while inside."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(0.02):
            world.advance(seconds)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_k12_the_answer_comes_when_the_run_has_ended(bench: Bench) -> None:
    bench.behave(mode="script", queue_ms=150, run_ms=150, output=SDXL_OUTPUT)
    run = bench.run()
    assert (run["status"], run["error"]) == ("COMPLETED", None)
    assert run["executionTimeMs"] >= 100


def test_k12_w11_milliseconds_are_milliseconds(bench: Bench) -> None:
    bench.behave(mode="script", run_ms=250, output=SDXL_OUTPUT)
    assert 200 <= bench.run()["executionTimeMs"] <= 5000


@pytest.mark.parametrize(
    ("worker", "shown"),
    [
        (
            "Unexpected input. x is not a valid input option.",
            "The model did not accept these inputs.",
        ),
        (
            "torch.cuda.OutOfMemoryError: CUDA out of memory on gpu-7",
            "The model ran out of memory. Smaller inputs may help.",
        ),
    ],
)
def test_k12_w27_a_failed_run_is_an_answer_with_a_reason(
    bench: Bench, worker: str, shown: str
) -> None:
    bench.behave(mode="instant", error=worker)
    with time_passing(bench.world, seconds=15):
        run = bench.run()
    assert (run["status"], run["output"]) == ("FAILED", None)
    assert rendered(run, "IMAGE") == ("error", shown)


def test_k12_a_run_without_a_result_is_a_failure(bench: Bench) -> None:
    bench.behave(mode="instant", output={})
    with time_passing(bench.world, seconds=15):
        run = bench.run()
    assert (run["status"], run["error"]) == ("FAILED", "The model finished without a result.")


def test_k12_a_run_that_outlasts_the_page_says_so_and_is_joined_by_the_next(bench: Bench) -> None:
    bench.behave(mode="script", run_ms=1500, output=SDXL_OUTPUT)
    settings = bench.world.runtime.settings
    bench.world.runtime.settings = settings.model_copy(update={"test_run_wait_seconds": 0.3})
    first = bench.run()
    assert first["status"] == "TIMED_OUT"
    assert rendered(first, "IMAGE")[1].startswith("The test is still running.")
    bench.world.runtime.settings = settings
    second = bench.run()
    assert (second["status"], second["jobId"]) == ("COMPLETED", first["jobId"])
    assert len(bench.jobs()) == 1


def test_k12_a_run_past_its_deadline_is_timed_out_with_words(bench: Bench) -> None:
    bench.behave(mode="script", queue_ms=10**9, output=SDXL_OUTPUT)
    settings = bench.world.runtime.settings
    bench.world.runtime.settings = settings.model_copy(update={"test_run_wait_seconds": 10**6})
    with time_passing(bench.world, seconds=120):
        run = bench.run()
    assert run["status"] == "TIMED_OUT"
    assert run["error"]


def test_k11_the_same_test_sent_twice_at_once_is_one_execution(bench: Bench) -> None:
    bench.behave(mode="script", run_ms=300, output=SDXL_OUTPUT)
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: bench.run(), range(4)))
    assert {run["status"] for run in runs} == {"COMPLETED"}
    assert len({run["jobId"] for run in runs}) == 1
    assert len(bench.jobs()) == 1


def test_other_inputs_are_another_test(bench: Bench) -> None:
    assert bench.run("one")["jobId"] != bench.run("two")["jobId"]
    assert len(bench.jobs()) == 2


def test_the_other_spelling_of_the_body_works(bench: Bench) -> None:
    run = bench.client.post(bench.path, {"input": {"prompt": "a lighthouse"}})
    assert run["status"] == "COMPLETED"
    assert bench.jobs()[0]["input"]["prompt"] == "a lighthouse"


def test_w27_the_days_quota_is_a_429_that_can_be_shown(bench: Bench) -> None:
    settings = bench.world.runtime.settings
    bench.world.runtime.settings = settings.model_copy(update={"test_runs_per_day": 2})
    bench.run("one")
    bench.run("two")
    with pytest.raises(Refused) as refused:
        bench.run("three")
    assert (refused.value.status, refused.value.code) == (429, "TEST_QUOTA_USED")
    assert refused.value.message == "Today's free test runs are used up. Try again tomorrow."
    assert len(bench.jobs()) == 2
    response = bench.developer.call("POST", bench.path, {"inputs": {"prompt": "four"}})
    midnight = timedelta(seconds=int(response.headers["Retry-After"]))
    assert timedelta() < midnight <= timedelta(days=1)
    bench.world.clock.shift += midnight
    assert bench.run("five")["status"] == "COMPLETED"


def test_w27_tests_are_recorded_and_cost_nobody_anything(bench: Bench) -> None:
    bench.run()
    (row,) = bench.world.sql("SELECT kind, status, price FROM executions")
    assert tuple(row) == ("TEST", "COMPLETED", 0)
    earned = bench.developer.ok("GET", "/api/studio/auth/me")
    assert (earned["totalEarnings"], earned["pendingPayout"]) == (0, 0)
    assert bench.developer.ok("GET", f"{MODELS}/{bench.model}")["totalRuns"] == 0


def test_a_test_sees_the_worker_get_the_whole_payload(bench: Bench) -> None:
    overrides = {"promptPrefix": "neon, ", "lockedInputs": {"width": 512}}
    bench.developer.ok("PUT", f"{MODELS}/{bench.model}", {"configOverrides": overrides})
    bench.run("cat")
    assert bench.jobs()[0]["input"] == {
        "prompt": "neon, cat",
        "width": 512,
        "num_inference_steps": 25,
    }


def test_w27_an_archived_model_cannot_be_tested(bench: Bench) -> None:
    path = f"{MODELS}/{bench.model}"
    bench.developer.ok("POST", f"{path}/publish")
    bench.developer.ok("POST", f"{path}/archive")
    with pytest.raises(Refused) as refused:
        bench.run()
    assert (refused.value.status, refused.value.code) == (409, "INVALID_STATUS")


@pytest.mark.parametrize("what", ["base-models", "endpoints"])
def test_w20_w27_what_is_switched_off_cannot_be_tested(bench: Bench, what: str) -> None:
    staff = bench.world.staff
    base = staff.ok("GET", f"/api/admin/base-models/{bench.base_id}")
    off = {"base-models": base["id"], "endpoints": base["endpointId"]}[what]
    staff.ok("DELETE", f"/api/admin/{what}/{off}")
    with pytest.raises(Refused) as refused:
        bench.run()
    assert refused.value.status == 503
    assert refused.value.code == "MODEL_UNAVAILABLE"
    assert bench.endpoint not in refused.value.message


def test_w27_another_developers_model_cannot_be_tested(world: World, bench: Bench) -> None:
    eve: Caller = world.developer()
    error = eve.refused(404, "POST", bench.path, {"inputs": {"prompt": "x"}})
    assert error["code"] == "MODEL_NOT_FOUND"
    assert bench.jobs() == []


def test_w13_inputs_are_checked_before_anything_runs(bench: Bench) -> None:
    for inputs in (
        {},
        {"prompt": 5},
        {"prompt": "x", "colour": "red"},
        {"prompt": "x", "seed": -1},
    ):
        with pytest.raises(Refused) as refused:
            bench.client.post(bench.path, {"inputs": inputs})
        assert refused.value.status == 422
    assert bench.jobs() == []
