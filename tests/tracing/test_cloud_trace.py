"""The exporter that is deployed, against a receiver that speaks OpenTelemetry's protocol."""

import gzip
import json
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from common.runtime import Runtime
from common.settings import Settings
from common.tracing import step


class Google:
    """Hands out a token and takes what is sent with it; `broken`: takes nothing."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.broken = False
        self.asked = threading.Event()

    def answer(self, request: Request) -> Response:
        if request.path == "/token":
            token = {"access_token": "the-functions-own", "expires_in": 3600}
            return Response(json.dumps(token), content_type="application/json")
        assert request.headers["Authorization"] == "Bearer the-functions-own"
        assert request.headers["x-goog-user-project"] == "tarsify-test"
        self.asked.set()
        if self.broken:
            return Response("no", 403)
        body = request.get_data()
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.taken += ExportTraceServiceRequest.FromString(body).resource_spans
        return Response(b"", content_type="application/x-protobuf")

    @property
    def spans(self) -> list[Any]:
        return [span for each in self.taken for scope in each.scope_spans for span in scope.spans]


@pytest.fixture
def google() -> Iterator[tuple[Google, str]]:
    place = Google()
    server = make_server("127.0.0.1", 0, Request.application(place.answer), threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield place, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def parts(google: tuple[Google, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """A function's runtime with an account of its own, as Cloud Run gives it one."""
    address = google[1]
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(_account(tmp_path, address)))
    settings = Settings(trace_share=1, trace_url=f"{address}/v1/traces", gcp_project="tarsify-test")
    return Runtime(settings)


def _account(folder: Path, address: str) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / "account.json"
    account = {
        "type": "service_account",
        "client_email": "marketplace@tarsify-test.iam.gserviceaccount.com",
        "private_key": key.decode(),
        "token_uri": f"{address}/token",
    }
    file.write_text(json.dumps(account))
    return file


def _flush(parts: Runtime) -> None:
    flush: Any = parts.traces
    flush.flush()


def test_steps_arrive_under_their_runs_id(google: tuple[Google, str], parts: Runtime) -> None:
    run = uuid.uuid4()
    for name in ("start", "settle"):
        with step(parts.traces, name) as traced:
            traced.of(run, effect="completed")
    _flush(parts)

    start, settle = google[0].spans
    assert (start.name, settle.name) == ("start", "settle")
    assert start.trace_id == settle.trace_id == run.bytes
    assert settle.parent_span_id == start.span_id
    assert start.end_time_unix_nano >= start.start_time_unix_nano > 0
    facts = {it.key: it.value.string_value for it in settle.attributes}
    assert facts == {"run": str(run), "effect": "completed"}
    of = {it.key: it.value.string_value for it in google[0].taken[0].resource.attributes}
    assert of["gcp.project_id"] == "tarsify-test"


def test_a_step_that_raises_is_sent_as_failed(google: tuple[Google, str], parts: Runtime) -> None:
    def dies() -> None:
        with step(parts.traces, "settle") as traced:
            traced.of(uuid.uuid4())
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        dies()
    _flush(parts)

    assert [span.status.code for span in google[0].spans] == [2]


def test_a_run_goes_on_while_nothing_takes_its_steps(
    google: tuple[Google, str], parts: Runtime
) -> None:
    google[0].broken = True
    with step(parts.traces, "start") as traced:
        traced.of(uuid.uuid4())
    _flush(parts)

    assert google[0].asked.is_set()
    assert google[0].spans == []
