"""One trace covers a run from its start to its end, and it is found by the run's id."""

import threading
import uuid
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from common.gateways.traces import CloudTraces
from common.tracing import NoTraces, is_traced
from tests.world import World


@pytest.fixture
def spans(world: World) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    world.runtime.__dict__["traces"] = CloudTraces(share=1, project="p", exporter=exporter)
    return exporter


def _sent(world: World, spans: InMemorySpanExporter) -> Sequence[ReadableSpan]:
    traces = world.runtime.traces
    assert isinstance(traces, CloudTraces)
    traces.flush()
    return spans.get_finished_spans()


def _sent_of_all(
    steps: list[str], world: World, spans: InMemorySpanExporter
) -> Sequence[ReadableSpan]:
    """The spans once each of the steps has one: a callback ends after the run that it ended."""
    for _ in range(200):
        told = _sent(world, spans)
        if {span.name for span in told} >= set(steps):
            break
        threading.Event().wait(0.05)
    return told


def test_start_submit_callback_and_settling_are_one_trace_under_the_runs_id(
    world: World, spans: InMemorySpanExporter
) -> None:
    model, consumer = world.model(), world.consumer(credits_=100)
    run = world.run(consumer, model)
    world.ended(consumer, run)

    steps = ["callback", "settle", "start", "submit"]
    told = _sent_of_all(steps, world, spans)
    assert sorted(span.name for span in told) == steps
    assert {span.context.trace_id for span in told} == {uuid.UUID(run).int}
    (start,) = (span for span in told if span.name == "start")
    assert start.parent is None
    parents = {span.parent.span_id for span in told if span.parent}
    assert parents == {start.context.span_id}
    (settle,) = (span for span in told if span.name == "settle")
    assert dict(settle.attributes or {}) == {"run": run, "effect": "completed"}


def test_a_repeated_click_is_no_second_start(world: World, spans: InMemorySpanExporter) -> None:
    model, consumer = world.model(), world.consumer(credits_=100)
    path = f"/api/marketplace/models/{model.slug}/run"
    for _ in range(2):
        consumer.ok("POST", path, {"inputs": {"prompt": "a"}}, **{"Idempotency-Key": "k"})

    assert [span.name for span in _sent(world, spans)].count("start") == 1


def test_a_refused_start_leaves_no_span(world: World, spans: InMemorySpanExporter) -> None:
    model, poor = world.model(price=10), world.consumer()
    poor.refused(
        402, "POST", f"/api/marketplace/models/{model.slug}/run", {"inputs": {"prompt": "a"}}
    )

    assert _sent(world, spans) == ()


def test_a_run_that_times_out_says_what_ended_it(world: World, spans: InMemorySpanExporter) -> None:
    model, consumer = (
        world.model(queueSeconds=60, executionTimeoutSeconds=30),
        world.consumer(credits_=100),
    )
    world.simulator.behave(model.endpoint_id, {"mode": "script", "run_ms": 10_000_000})
    run = world.run(consumer, model)
    world.advance(240, sweep=True)

    assert world.shown(consumer, run)["status"] == "TIMED_OUT"
    effects = [
        (span.attributes or {}).get("effect")
        for span in _sent(world, spans)
        if span.name == "settle" and span.context.trace_id == uuid.UUID(run).int
    ]
    assert effects == ["timed_out"]


def test_nothing_is_sent_where_tracing_is_off(world: World) -> None:
    assert world.settings.trace_share == 0
    assert isinstance(world.runtime.traces, NoTraces)


def test_a_share_is_the_same_runs_in_every_function() -> None:
    runs = [uuid.uuid4() for _ in range(2000)]
    traced = [run for run in runs if is_traced(run, 0.1)]

    assert 100 < len(traced) < 320
    assert all(is_traced(run, 0.2) for run in traced)
    assert not any(is_traced(run, 0) for run in runs)
    assert all(is_traced(run, 1) for run in runs)
