"""A cloud for the bootstrap: gcloud's stand-in on the PATH, Firebase's and the vendors' APIs."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from infra.local.runpod.testing import running_simulator
from infra.local.stripe.running import running_stripe
from tests.runpod_setup.management import KEY, Management
from tests.runpod_setup.management import serving as serving_management

ROOT = Path(__file__).parents[2]
PROJECTS = ("tarsify-staging", "tarsify-staging-users", "tarsify-staging-studio")
SECRETS = {
    "runpod-api-key": "rpa_for_jobs",
    "stripe-secret-key": "sk_test_tarsify",
    "stripe-webhook-secrets": "whsec_of_our_own",
    "stripe-connect-webhook-secrets": "whsec_of_others,whsec_the_next_one",
    "runpod-management-key": KEY,
}
ARGUMENTS = (
    "--environment=staging",
    "--project=tarsify-staging",
    "--users-project=tarsify-staging-users",
    "--developers-project=tarsify-staging-studio",
    "--domain=staging.tarsify.example",
    "--alerts-email=watch@tarsify.example",
    "--repository=projects/tarsify-staging/locations/us-central1/connections/g/repositories/t",
)
COPIED = ("common", "functions", "infra", "migrations", "terraform")
FILES = (
    "requirements.txt",
    "requirements-migrations.txt",
    "requirements-dev.txt",
    "pyproject.toml",
)


@dataclass
class Firebase:
    """Which projects are Firebase projects. Adding may take `looks` until it is seen."""

    looks: int = 0
    linked: dict[str, int] = field(default_factory=dict)
    added: list[str] = field(default_factory=list)

    def answer(self, request: Request) -> Response:
        assert request.headers["Authorization"] == "Bearer operators-token"
        project, _, verb = request.path.removeprefix("/v1beta1/projects/").partition(":")
        if verb == "addFirebase" and request.method == "POST":
            assert project not in self.linked
            self.linked[project] = self.looks
            self.added.append(project)
            return Response("{}", content_type="application/json")
        assert (request.method, verb) == ("GET", "")
        if project not in self.linked or self.linked[project] > 0:
            if project in self.linked:
                self.linked[project] -= 1
            return Response('{"error": {"message": "not found"}}', 404)
        return Response(json.dumps({"projectId": project}), content_type="application/json")


class Cloud:
    """What the operator has in front of them: a shell, and what became of the cloud."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.root, self._file = folder / "repository", folder / "cloud.json"
        _copy(self.root)
        tools = folder / "bin"
        tools.mkdir()
        _install(tools / "gcloud")
        self.tools = tools
        self.environment = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(folder),
            "CLOUD": str(self._file),
            **environment,
        }
        project = {"pays": "True", "services": ["storage.googleapis.com"]}
        self.change(
            projects={name: project | {"number": f"10{i}"} for i, name in enumerate(PROJECTS)},
            buckets=[],
            objects=[],
            secrets={},
            calls=[],
            changes_left=10**6,
        )

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._file.read_text())
        return found

    def change(self, **values: Any) -> None:
        before = json.loads(self._file.read_text()) if self._file.exists() else {}
        self._file.write_text(json.dumps(before | values))

    def kept(self) -> dict[str, Any]:
        """The cloud without the record of calls."""
        return {k: v for k, v in self.state.items() if k not in {"calls", "changes_left"}}

    def changes(self) -> list[list[str]]:
        verbs = {"enable", "create", "update", "add"}
        return [call for call in self.state["calls"] if verbs & set(call[:3])]

    def bootstrap(
        self, *arguments: str, typed: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs it with what the operator would type, as far as it is asked for."""
        missing = [
            n for n in SECRETS if not self.state["secrets"].get(n) or f"--renew={n}" in arguments
        ]
        values = {**SECRETS, **(typed or {})}
        return subprocess.run(
            [str(self.root / "infra" / "bootstrap"), *ARGUMENTS, *arguments],
            env=self.environment,
            input="".join(f"{values[name]}\n" for name in missing),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def file(self, name: str) -> Path:
        return self.root / "terraform" / "environments" / "staging" / name


def fingerprint(value: str) -> str:
    """What the stand-in keeps of a secret."""
    return hashlib.sha256(value.encode()).hexdigest()


def _install(target: Path) -> None:
    """Puts gcloud's stand-in there, to be run by this Python and nothing of its libraries: some
    systems' `python3` looks for itself first, which takes longer than the stand-in."""
    script = (Path(__file__).parent / "gcloud").read_text(encoding="utf-8")
    target.write_text(f"#!{sys.executable} -IS\n{script}", encoding="utf-8")
    target.chmod(0o755)


def _copy(root: Path) -> None:
    """The repository as somebody would clone it, with the virtual environment lent to it."""
    for name in COPIED:
        unneeded = shutil.ignore_patterns("__pycache__", ".terraform*", "terraform.tfvars")
        shutil.copytree(ROOT / name, root / name, ignore=unneeded)
    for name in FILES:
        shutil.copy(ROOT / name, root / name)
    (root / ".venv").symlink_to(ROOT / ".venv")


@contextmanager
def cloud_in(folder: Path, *, vendors: "Vendors") -> Iterator[Cloud]:
    """A fresh cloud with nothing in it but the three projects."""
    yield Cloud(folder, vendors.environment)


@dataclass
class Vendors:
    """Firebase, RunPod and Stripe at addresses of this machine."""

    firebase: Firebase
    management: Management
    environment: dict[str, str]


@contextmanager
def vendors() -> Iterator[Vendors]:
    with ExitStack() as stack:
        firebase, management = Firebase(), Management()
        runpod = stack.enter_context(running_simulator(key=SECRETS["runpod-api-key"]))
        stripe = stack.enter_context(running_stripe(key=SECRETS["stripe-secret-key"]))
        yield Vendors(
            firebase,
            management,
            {
                "FIREBASE_URL": stack.enter_context(_serving(firebase)),
                "RUNPOD_MANAGEMENT_URL": stack.enter_context(serving_management(management)),
                "RUNPOD_BASE_URL": runpod.base_url,
                "STRIPE_API_URL": stripe.url,
            },
        )


@contextmanager
def _serving(firebase: Firebase) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, Request.application(firebase.answer), threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
