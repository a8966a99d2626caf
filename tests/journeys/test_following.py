"""Following a run by its events, over as many connections as it takes."""

import threading
import uuid
from datetime import timedelta
from typing import Any

from common.executions import queries
from common.executions.service import signer
from common.executions.streaming import Place, RunEvents
from tests.following import RUN, events, followed, slow, wait_for, writing
from tests.world import SDXL_OUTPUT, World


def test_a_reader_sees_each_status_once_and_the_end_with_the_result(world: World) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    slow(world, model, run_ms=2000)
    run = world.run(owner, model)
    seen: list[dict[str, Any]] = []

    def read() -> None:
        seen.extend(followed(owner, run))

    reader = threading.Thread(target=read)
    reader.start()
    wait_for(lambda: len(seen) == 1)
    world.advance(30)
    reader.join(20)
    assert [each["event"] for each in seen] == [
        "status",
        *["status"] * (len(seen) - 2),
        "completed",
    ]
    assert seen[-1]["data"]["status"] in {"COMPLETED", "FAILED"}
    ranks = [int(each["id"].split("-")[1]) for each in seen]
    assert ranks == sorted(ranks)
    assert list(events(owner, run, **{"Last-Event-ID": seen[-1]["id"]})) == []
    (last,) = events(owner, run)
    assert last == seen[-1]


def test_text_comes_as_the_worker_puts_it_out_and_a_late_reader_goes_on(world: World) -> None:
    model = writing(world)
    pieces = [[{"choices": [{"tokens": [word]}]}] for word in ("Once ", "upon ", "a time")]
    world.simulator.behave(
        model.endpoint_id,
        {
            "mode": "script", "queue_ms": 0, "run_ms": 60_000, "stream": pieces,
            "output": [{"choices": [{"tokens": ["Once upon a time"]}]}],
        },
    )  # fmt: skip
    owner = world.consumer(credits_=100)
    run = world.run(owner, model)
    seen: list[dict[str, Any]] = []

    def read() -> None:
        seen.extend(followed(owner, run))

    reader = threading.Thread(target=read)
    reader.start()
    wait_for(lambda: len(seen) >= 1)
    world.advance(70)
    reader.join(20)
    texts = [each["data"]["text"] for each in seen if each["event"] == "output"]
    assert seen[-1]["event"] == "completed"
    assert "".join(texts) == "Once upon a time"
    first = next(each for each in seen if each["event"] == "output")
    later = list(events(owner, run, **{"Last-Event-ID": first["id"]}))
    assert [each["data"]["text"] for each in later if each["event"] == "output"] == texts[1:]


def test_a_reader_who_comes_back_takes_the_text_on_at_once(world: World) -> None:
    model = writing(world)
    slow(world, model)
    run = uuid.UUID(world.run(world.consumer(credits_=100), model))
    owner = world.sql("SELECT consumer_id FROM executions WHERE id = :id", id=run)[0][0]
    world.settings.__dict__["stream_seconds"] = 3.0

    def another_may_take_it() -> bool:
        with world.runtime.db.step() as connection:
            return queries.lease_stream(connection, run, uuid.uuid4(), world.clock.now())

    told = RunEvents(world.runtime, run, owner, signer(world.runtime)).follow(Place())
    assert b"event: status" in next(told) + next(told)
    assert not another_may_take_it()
    list(told)
    assert another_may_take_it()


def test_text_that_was_handed_out_is_not_had_for_nothing(world: World) -> None:
    """Whoever has read the answer cannot cancel the run and get the credits back."""
    model = world.model(price=10)
    slow(world, model)
    owner = world.consumer(credits_=100)
    path = f"/api/marketplace/models/{model.slug}/run"
    run = owner.ok("POST", path, RUN, **{"Cancel-After": "1m"})["executionId"]
    with world.runtime.db.step() as connection:
        queries.add_chunks(
            connection, uuid.UUID(run), attempt=1, pieces=["the answer"], now=world.clock.now()
        )
    refused = owner.refused(409, "POST", f"/api/marketplace/runs/{run}/cancel")
    assert refused["code"] == "TEXT_DELIVERED"
    world.advance(90)
    assert world.shown(owner, run)["completedAt"] is None
    assert {job["status"] for job in world.jobs(model)} == {"IN_PROGRESS"}


def test_another_ones_run_cannot_be_followed(world: World) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    run = world.run(owner, model)
    stranger = world.consumer()
    refused = stranger.refused(404, "GET", f"/api/marketplace/runs/{run}/events")
    assert refused["code"] == "EXECUTION_NOT_FOUND"
    world.ended(owner, run)


def test_a_reader_is_told_how_far_the_model_says_it_has_come(world: World) -> None:
    """Of what a worker sends along only the number: the rest may be what its developer hides."""
    model, owner = world.model(), world.consumer(credits_=100)
    slow(world, model, run_ms=20_000, progress={"progress": 40, "prompt": "the hidden prefix"})
    run = world.run(owner, model)
    seen: list[dict[str, Any]] = []
    reader = threading.Thread(target=lambda: seen.extend(followed(owner, run)))
    reader.start()
    wait_for(lambda: len(seen) == 1)
    world.advance(11)  # its reader looks on, and so the GPU is asked
    wait_for(lambda: "progress" in [each["event"] for each in seen])
    assert world.shown(owner, run)["queue"]["progressPercent"] == 40
    world.advance(30)
    reader.join(20)
    assert [each["data"] for each in seen if each["event"] == "progress"] == [{"percent": 40}]
    assert "hidden prefix" not in str(seen)


def test_the_gpu_is_asked_while_somebody_looks_on_although_no_alarm_is_due(world: World) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    slow(world, model, run_ms=20_000, output=SDXL_OUTPUT)
    world.simulator.fault(model.endpoint_id, "F1")
    run = world.run(owner, model)
    world.simulator.advance(30)  # done at the GPU, and its callback is lost
    told = followed(owner, run)
    assert next(told)["event"] == "status"
    world.clock.shift += timedelta(seconds=6)
    assert [each["event"] for each in told][-1] == "completed"


def test_a_failed_attempt_is_in_the_log_once_and_names_no_provider(world: World) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    slow(world, model, run_ms=1000, error="worker 7 of pod xyz was lost")
    run = world.run(owner, model)
    world.advance(20)
    slow(world, model, run_ms=10**6)
    world.advance(20)
    owner.ok("POST", f"/api/marketplace/runs/{run}/cancel")
    told = list(followed(owner, run))
    lines = [each for each in told if each["event"] == "log"]
    assert [(line["data"]["attempt"], line["data"]["message"]) for line in lines] == [
        (1, "Attempt 1 failed at the GPU. Another one follows."),
        (None, "You asked to stop the run. The GPU is being told."),
    ]
    assert not {"pod", "runpod", "worker 7"} & set(str(told).lower().split())
    later = list(events(owner, run, **{"Last-Event-ID": lines[0]["id"]}))
    assert [each["data"] for each in later if each["event"] == "log"] == [lines[1]["data"]]
