"""The RunPod client against the simulator, and against a server that answers oddly."""

import json
import socket
import struct
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from common.boundary import session_open
from common.gateways.runpod import (
    MISSING,
    JobReport,
    JobState,
    Refusal,
    RunPod,
    RunPodUnavailable,
    SubmitRefused,
    SubmitUnknown,
    Trouble,
)
from infra.local.runpod.client import SimulatorClient
from infra.local.runpod.testing import running_simulator
from tests.gateways.origin import Origin, reply

KEY = "rpa_secret_key"
WEBHOOK = "http://127.0.0.1:9/cb/secret-token"
ENDED = {"mode": "instant", "output": {"ok": True}}


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator(key=KEY, endpoints=["ep"]) as running:
        yield running


@pytest.fixture
def runpod(simulator: SimulatorClient) -> RunPod:
    simulator.reset()
    simulator.mend()
    simulator.behave("ep", ENDED)
    return client(simulator.base_url)


def client(address: str, **timeouts: float) -> RunPod:
    return RunPod(address, KEY, **{"submit_timeout_s": 1.0, "read_timeout_s": 1.0, **timeouts})  # type: ignore[arg-type]


def submit(runpod: RunPod, **changes: Any) -> str:
    job: dict[str, Any] = {
        "payload": {"prompt": "tame"},
        "webhook_url": None,
        "execution_timeout_ms": 60_000,
        "ttl_ms": 600_000,
    }
    return runpod.submit(changes.pop("endpoint_id", "ep"), **{**job, **changes})


def test_a_job_is_submitted_with_its_policy_and_read_back(
    simulator: SimulatorClient, runpod: RunPod
) -> None:
    job_id = submit(runpod, payload={"prompt": "été"}, webhook_url=WEBHOOK)
    report = runpod.status("ep", job_id)
    assert (report.state, report.output, report.error) == (JobState.COMPLETED, {"ok": True}, None)
    assert report.delay_ms is not None
    assert report.execution_ms is not None
    (job,) = simulator.jobs("ep")
    assert job["input"] == {"prompt": "été"}
    assert job["webhook"] == WEBHOOK
    assert job["policy"]["executionTimeout"] == 60_000
    assert job["policy"]["ttl"] == 600_000


def test_a_policy_out_of_runpods_bounds_is_brought_inside(
    simulator: SimulatorClient, runpod: RunPod
) -> None:
    submit(runpod, execution_timeout_ms=1, ttl_ms=10**12)
    (job,) = simulator.jobs("ep")
    assert job["policy"]["executionTimeout"] == 5_000
    assert job["policy"]["ttl"] == 7 * 86_400_000


@pytest.mark.parametrize(
    ("variant", "kind"), [("429", Refusal.RATE_LIMITED), ("502", None), ("timeout", None)]
)
def test_a_failing_submit_says_whether_a_job_may_exist_f5(
    simulator: SimulatorClient, runpod: RunPod, variant: str, kind: Refusal | None
) -> None:
    simulator.fault("ep", "F5", variant=variant, seconds=3)
    with pytest.raises(SubmitRefused if kind else SubmitUnknown) as failed:
        submit(runpod)
    assert simulator.endpoints()["ep"]["submitted"] == 1, "submitted exactly once"
    assert getattr(failed.value, "kind", None) is kind


def test_a_submit_whose_answer_is_lost_is_unknown_and_never_repeated_f4(
    simulator: SimulatorClient, runpod: RunPod
) -> None:
    simulator.fault("ep", "F4")
    with pytest.raises(SubmitUnknown):
        submit(runpod)
    assert len(simulator.jobs("ep")) == 1


def test_what_runpod_answers_with_4xx_is_certainly_refused(
    simulator: SimulatorClient, runpod: RunPod
) -> None:
    refused: dict[str, SubmitRefused] = {}
    attempts: dict[str, tuple[RunPod, dict[str, Any]]] = {
        "key": (RunPod(simulator.base_url, "wrong"), {}),
        "endpoint": (runpod, {"endpoint_id": "nowhere"}),
        "path": (runpod, {"endpoint_id": "../ep"}),
        "size": (runpod, {"payload": {"data": "x" * 10 * 1024 * 1024}}),
    }
    for name, (with_client, changes) in attempts.items():
        with pytest.raises(SubmitRefused) as failed:
            submit(with_client, **changes)
        refused[name] = failed.value
    assert {name: error.kind for name, error in refused.items()} == {
        "key": Refusal.UNAUTHORIZED,
        "endpoint": Refusal.UNKNOWN_ENDPOINT,
        "path": Refusal.UNKNOWN_ENDPOINT,
        "size": Refusal.TOO_LARGE,
    }
    assert not any(error.passing for error in refused.values())
    assert simulator.jobs("ep") == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}", "http://no-such-host.invalid"])
def test_a_submit_that_never_connected_is_certainly_refused(address: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        runpod = client(address.format(port=unused.getsockname()[1]))
        with pytest.raises(SubmitRefused) as failed:
            submit(runpod)
    assert failed.value.kind is Refusal.UNREACHABLE
    assert failed.value.passing


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, b"<html>"),
        (200, b"{}"),
        (200, b'{"id": 7}'),
        (200, b'{"id": "../../x"}'),
        (302, b""),
        (408, b""),
        (524, b""),
    ],
)
def test_an_answer_that_names_no_job_leaves_the_outcome_unknown(
    origin: Origin, status: int, content: bytes
) -> None:
    origin.always(content, status=status, Location="/elsewhere")
    with pytest.raises(SubmitUnknown):
        submit(client(origin.url))
    assert len(origin.seen) == 1


def test_a_connection_reset_after_sending_leaves_the_outcome_unknown(origin: Origin) -> None:
    origin.answer = reset
    with pytest.raises(SubmitUnknown):
        submit(client(origin.url))
    assert len(origin.seen) == 1


def test_no_failure_tells_the_key_the_webhook_or_the_input(origin: Origin) -> None:
    def boom(runpod: RunPod) -> str:
        with pytest.raises((SubmitRefused, SubmitUnknown)) as failed:
            submit(runpod, webhook_url=WEBHOOK)
        assert failed.value.__suppress_context__ or failed.value.__context__ is None
        return repr(failed.value)

    texts = [boom(client("http://127.0.0.1:1"))]
    for status in (200, 400, 401, 429, 500):
        origin.always(f"{KEY} {WEBHOOK} tame".encode(), status=status)
        texts.append(boom(client(origin.url)))
    origin.answer = reset
    texts.append(boom(client(origin.url)))
    assert not [text for text in texts if "secret" in text or "tame" in text]
    assert origin.seen[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_key_that_no_header_can_carry_is_refused_at_the_start_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="header") as refused:
        RunPod("https://api.example.com/v2", "sec\nret")
    assert "ret" not in str(refused.value).replace("characters", "")


def test_looks_are_repeated_over_passing_trouble(origin: Origin) -> None:
    answers = iter([(500, b"oops"), (429, b""), (200, b'{"id":"j","status":"IN_QUEUE"}')])

    def answer(handler: BaseHTTPRequestHandler) -> None:
        status, content = next(answers)
        reply(handler, content, status=status)

    origin.answer = answer
    assert client(origin.url).status("ep", "j").state is JobState.QUEUED
    assert len(origin.seen) == 3


@pytest.mark.parametrize(
    ("status", "content", "trouble", "tries"),
    [
        (503, b"", Trouble.SERVER, 3),
        (429, b"", Trouble.RATE_LIMITED, 3),
        (401, b"", Trouble.UNAUTHORIZED, 1),
        (404, b'{"detail":"endpoint not found"}', Trouble.UNKNOWN_ENDPOINT, 1),
        (400, b"", Trouble.REJECTED, 1),
        (200, b"<html>", Trouble.UNREADABLE, 1),
        (200, b"[]", Trouble.UNREADABLE, 1),
        (200, b'{"id":"j"}', Trouble.UNREADABLE, 1),
    ],
)
def test_a_look_without_an_answer_says_why(
    origin: Origin, status: int, content: bytes, trouble: Trouble, tries: int
) -> None:
    origin.always(content, status=status)
    with pytest.raises(RunPodUnavailable) as failed:
        client(origin.url).status("ep", "j")
    assert failed.value.trouble is trouble
    assert len(origin.seen) == tries


def test_silence_and_resets_are_network_trouble(origin: Origin) -> None:
    origin.answer = reset
    with pytest.raises(RunPodUnavailable) as failed:
        client(origin.url).status("ep", "j")
    assert failed.value.trouble is Trouble.NETWORK
    origin.answer = lambda _: time.sleep(0.5)
    with pytest.raises(RunPodUnavailable) as failed:
        client(origin.url, read_timeout_s=0.05).health("ep")
    assert failed.value.trouble is Trouble.NETWORK


@pytest.mark.parametrize(
    "content",
    [
        b'{"status":404,"title":"Not Found","detail":"job not found"}',
        b"<html>not here</html>",
        b"",
    ],
)
def test_a_job_that_runpod_does_not_know_is_gone_whatever_the_404_says(
    origin: Origin, content: bytes
) -> None:
    origin.always(content, status=404)
    assert client(origin.url).status("ep", "j") == JobReport("j", JobState.GONE)


def test_a_job_id_that_cannot_be_one_is_gone_and_never_asked_for(origin: Origin) -> None:
    assert client(origin.url).status("ep", "../../other/health").state is JobState.GONE
    client(origin.url).cancel("ep", "..")
    assert origin.seen == []


@pytest.mark.parametrize("variant", ["propagation", "retention"])
def test_a_job_out_of_sight_is_gone_f13(
    simulator: SimulatorClient, runpod: RunPod, variant: str
) -> None:
    simulator.fault("ep", "F13", variant=variant)
    assert runpod.status("ep", submit(runpod)).state is JobState.GONE


def test_a_status_outage_is_unavailable_f17(simulator: SimulatorClient, runpod: RunPod) -> None:
    simulator.fault("ep", "F17")
    job_id = submit(runpod)
    with pytest.raises(RunPodUnavailable):
        runpod.status("ep", job_id)


@pytest.mark.parametrize("variant", ["extra_fields", "no_delay_time"])
def test_odd_job_objects_are_read_f18(
    simulator: SimulatorClient, runpod: RunPod, variant: str
) -> None:
    simulator.fault("ep", "F18", variant=variant)
    report = runpod.status("ep", submit(runpod))
    assert (report.state, report.output) == (JobState.COMPLETED, {"ok": True})


def test_a_job_of_unknown_status_goes_on_f18(simulator: SimulatorClient, runpod: RunPod) -> None:
    simulator.behave("ep", mode="script", run_ms=60_000, output=1)
    simulator.fault("ep", "F18", variant="unknown_status")
    assert not runpod.status("ep", submit(runpod)).state.ended


def test_a_completed_job_without_output_is_told_from_null_f8(
    simulator: SimulatorClient, runpod: RunPod
) -> None:
    simulator.fault("ep", "F8", next=1)
    assert runpod.status("ep", submit(runpod)).output is MISSING
    simulator.behave("ep", mode="instant", output=None)
    assert runpod.status("ep", submit(runpod)).output is None


def test_a_queued_job_is_cancelled_and_cancelling_again_is_harmless(
    simulator: SimulatorClient, runpod: RunPod
) -> None:
    simulator.behave("ep", mode="script", queue_ms=60_000, output=1)
    job_id = submit(runpod)
    assert runpod.status("ep", job_id).state is JobState.QUEUED
    for _ in range(2):
        assert runpod.cancel("ep", job_id)
    assert runpod.status("ep", job_id).state is JobState.CANCELLED
    assert not runpod.cancel("ep", "never-existed")


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ("no_workers", "no_capacity"),
        ("throttled", "starting"),
        ("unhealthy", "unhealthy"),
        ("initializing", "starting"),
    ],
)
def test_health_tells_why_a_queue_stands_still_f6(
    simulator: SimulatorClient, runpod: RunPod, variant: str, reason: str
) -> None:
    assert runpod.health("ep").queue_trouble is None
    simulator.behave("ep", mode="script", output=1)
    simulator.fault("ep", "F6", variant=variant)
    submit(runpod)
    health = runpod.health("ep")
    assert (health.in_queue, health.queue_trouble) == (1, reason)


def test_health_of_an_unknown_endpoint_is_trouble_and_docs_style_counters_are_enough(
    origin: Origin, runpod: RunPod
) -> None:
    with pytest.raises(RunPodUnavailable) as failed:
        runpod.health("nowhere")
    assert failed.value.trouble is Trouble.UNKNOWN_ENDPOINT
    origin.always(b'{"jobs":{"inQueue":2},"workers":{"idle":0,"running":0}}')
    assert client(origin.url).health("ep").queue_trouble == "no_capacity"


def test_no_call_is_made_while_a_database_session_is_open(runpod: RunPod) -> None:
    with session_open():
        for call in (
            lambda: submit(runpod),
            lambda: runpod.status("ep", "j"),
            lambda: runpod.cancel("ep", "j"),
            lambda: runpod.health("ep"),
        ):
            with pytest.raises(RuntimeError, match="session"):
                call()


def test_connections_are_kept_for_the_next_call(origin: Origin) -> None:
    ports = set()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        ports.add(handler.client_address[1])
        reply(handler, json.dumps({"id": "j", "status": "IN_QUEUE"}).encode())

    origin.answer = answer
    runpod = client(origin.url)
    for _ in range(5):
        runpod.status("ep", "j")
    assert len(ports) == 1


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Drop the connection with an RST, as a dying proxy does."""
    no_linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
    handler.connection.close()
    handler.close_connection = True
