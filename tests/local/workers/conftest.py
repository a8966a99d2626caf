"""The simulator with real worker processes on it, one or more of each kind, and an S3 server."""

import contextlib
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from infra.local.runpod.client import SimulatorClient
from infra.local.runpod.testing import running_simulator
from infra.local.workers.processes import Kind, start_worker, stop_worker

JSON = dict[str, Any]
Ask = Callable[..., JSON]

WORKERS: dict[str, tuple[Kind, dict[str, str]]] = {
    "sdxl": ("sdxl", {}),
    "whisper": ("faster_whisper", {}),
    "vllm-new": ("vllm", {"VLLM_GENERATION": "new"}),
    "vllm-old": ("vllm", {"VLLM_GENERATION": "old"}),
    "chatterbox": ("chatterbox", {}),
    "sdxl-bucket": ("sdxl", {"BUCKET_ENDPOINT_URL": "bucket"}),
    "chatterbox-bucket": ("chatterbox", {"BUCKET_ENDPOINT_URL": "bucket"}),
}


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """moto's S3 server, in place of our bucket's interoperability endpoint."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def bucket(s3_url: str) -> Any:
    """The bucket that RunPod's uploader chooses: named after the month."""
    s3 = boto3.resource(
        "s3",
        endpoint_url=s3_url,
        region_name="us-east-1",
        aws_access_key_id="access",
        aws_secret_access_key="secret",
    )
    return s3.create_bucket(Bucket=time.strftime("%m-%y"))


@pytest.fixture(scope="session")
def simulator(
    s3_url: str, bucket: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimulatorClient]:
    with contextlib.ExitStack() as stack:
        sim = stack.enter_context(running_simulator(endpoints=WORKERS))
        for endpoint_id, (kind, env) in WORKERS.items():
            keys = {"BUCKET_ACCESS_KEY_ID": "access", "BUCKET_SECRET_ACCESS_KEY": "secret"}
            own = {name: value.replace("bucket", s3_url) for name, value in env.items()} | keys
            home = tmp_path_factory.mktemp(endpoint_id)
            worker = start_worker(kind, endpoint_id, sim.base_url, sim.key, directory=home, **own)
            stack.callback(stop_worker, worker)
        yield sim


@pytest.fixture(scope="session")
def ask(simulator: SimulatorClient) -> Iterator[Ask]:
    """Submit an input to an endpoint and wait for the finished job."""
    with httpx.Client(
        base_url=simulator.base_url,
        headers={"Authorization": simulator.key},
        timeout=60,
        trust_env=False,
    ) as client:

        def ask(endpoint_id: str, /, **given: Any) -> JSON:
            reply = client.post(f"/{endpoint_id}/runsync", json={"input": given})
            assert reply.status_code == 200, reply.text
            job: JSON = reply.json()
            return job

        yield ask


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[bytes, str], str]]:
    """Put a file on a web server and return its URL."""
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def put(content: bytes, name: str) -> str:
            files[f"/{name}"] = content
            return f"http://127.0.0.1:{server.server_port}/{name}"

        yield put
        server.shutdown()
        thread.join()
