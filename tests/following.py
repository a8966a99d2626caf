"""Runs that go on for long, and how their consumers wait for them and follow them."""

import json
import time
from collections.abc import Iterator
from typing import Any

import requests

from tests.world import Caller, Model, World

RUN = {"inputs": {"prompt": "a lighthouse"}}
TEXT_SCHEMA = {
    "type": "object",
    "required": ["prompt"],
    "properties": {
        "prompt": {"type": "string", "title": "Prompt"},
        "stream": {"type": "boolean", "default": True},
    },
}


def started(caller: Caller, model: Model, **headers: str) -> requests.Response:
    path = f"/api/marketplace/models/{model.slug}/run"
    answer = caller.call("POST", path, RUN, **headers)
    assert answer.ok, answer.text
    return answer


def writing(world: World) -> Model:
    """A model that puts text out bit by bit."""
    return world.model(
        schema=TEXT_SCHEMA, category="TEXT", outputType="TEXT", outputFormat="txt",
        outputAdapter="vllm",
    )  # fmt: skip


def slow(world: World, model: Model, *, run_ms: int = 10**6, **more: Any) -> None:
    world.simulator.behave(
        model.endpoint_id,
        {"mode": "script", "queue_ms": 0, "run_ms": run_ms, "output": {"images": []}, **more},
    )


def go_on_at_once(world: World, runs: int) -> None:
    """Of each consumer's runs so many go on at once, and the others wait their turn."""
    limits = world.staff.ok("GET", "/api/admin/limits")
    world.staff.ok("PUT", "/api/admin/limits", limits | {"concurrentRuns": runs})


def events(caller: Caller, execution_id: str, **headers: str) -> Iterator[dict[str, Any]]:
    """The events of one connection, as any client of server-sent events reads them."""
    url = f"{caller.base}/api/marketplace/runs/{execution_id}/events"
    sent = {"Authorization": f"Bearer {caller.token}", **headers}
    with requests.get(url, headers=sent, stream=True, timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        event: dict[str, Any] = {}
        for line in answer.iter_lines(decode_unicode=True):
            name, _, value = line.partition(": ")
            if line == "" and event:
                yield event
                event = {}
            elif name in {"id", "event"}:
                event[name] = value
            elif name == "data":
                event["data"] = json.loads(value)


def followed(caller: Caller, execution_id: str) -> Iterator[dict[str, Any]]:
    """The events up to the end, over as many connections as it takes."""
    last: dict[str, str] = {}
    while True:
        for event in events(caller, execution_id, **last):
            last = {"Last-Event-ID": event["id"]}
            yield event
            if event["event"] == "completed":
                return


def wait_for(what: Any, seconds: float = 15) -> None:
    ends_at = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends_at, "it did not come"
        time.sleep(0.02)
