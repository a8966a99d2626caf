"""Identity services whose keys are real, in place of Google's; each test has fresh verifiers."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from infra.local.identity.google import RunningGoogle, running_google
from infra.local.signing import SigningKey
from tests.functions.conftest import apps
from tests.world_fixtures import (
    world,
    world_base,
    world_simulator,
    world_storage,
    world_stripe,
    world_tasks,
)

__all__ = [
    "apps",
    "world",
    "world_base",
    "world_simulator",
    "world_storage",
    "world_stripe",
    "world_tasks",
]


@pytest.fixture(scope="session")
def shared_google() -> Iterator[RunningGoogle]:
    with running_google() as running:
        yield running


@pytest.fixture
def google(shared_google: RunningGoogle) -> Iterator[RunningGoogle]:
    """Google's certificates for this process, for as long as the test lasts."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("FIREBASE_AUTH_EMULATOR_HOST", raising=False)
        for name, value in shared_google.environment().items():
            environment.setenv(name, value)
        shared_google.down = False
        yield shared_google
        shared_google.down = False


@dataclass
class CertificateServer:
    """Serves a key's certificate, as Google does for the tokens of service accounts."""

    url: str = ""
    key: SigningKey = field(default_factory=SigningKey)
    down: bool = False
    fetches: int = 0

    def __call__(self, request: Request) -> Response:
        self.fetches += 1
        if self.down:
            return Response("down", 503)
        headers = {"Cache-Control": "public, max-age=3600"}
        return Response(json.dumps(self.key.certificates()), headers=headers)


@pytest.fixture(scope="session")
def shared_certificates() -> Iterator[CertificateServer]:
    served = CertificateServer()
    server = make_server("127.0.0.1", 0, Request.application(served), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}/certs"
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def certificates(shared_certificates: CertificateServer) -> Iterator[CertificateServer]:
    """The certificates of internal callers."""
    shared_certificates.down = False
    shared_certificates.fetches = 0
    yield shared_certificates
    shared_certificates.down = False
