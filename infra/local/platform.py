"""The whole of Tarsify on one machine: which processes there are and what each is told.

Only addresses differ from the cloud. With DATABASE_URL set that server is used; with
RUNPOD_API_KEY set the real RunPod is, by polling, since no webhook can reach a laptop; with
STRIPE_SECRET_KEY (a test key) the real Stripe is, by asking when the shopper comes back.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import make_url

from common.gateways.tasks import KINDS
from infra.local.fault_proxy import Control
from infra.local.identity.unsigned import mint_local_token
from infra.local.ports import free_port
from infra.local.postgres import PostgresError, PostgresServer
from infra.local.scheduler import Scheduler
from infra.local.supervisor import NotStarted, Service, Supervisor, listening
from infra.local.workers.environment import ensure_environment
from infra.local.workers.processes import worker_environment

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
PUBLIC = ("marketplace", "studio", "admin", "callback", "payments")
INTERNAL = ("tasks", "cleanup")
LINKS = ("database", "runpod", "storage")
PROJECT = "tarsify-local"
QUEUES = [f"projects/{PROJECT}/locations/us-central1/queues/executions-{kind}" for kind in KINDS]
SCHEDULER = f"projects/{PROJECT}/locations/us-central1/queues/scheduler"
QUEUE_SETTINGS = ",max_attempts=5,min_backoff=1,max_backoff=30,max_concurrent_dispatches=16"
BUCKET, UPLOADS = "tarsify-outputs", "tarsify-uploads"
SIMULATOR_KEY = "local-runpod-key"
STRIPE_KEY = "sk_test_local"
STRIPE_SECRET, CONNECT_SECRET = "whsec_local", "whsec_local_connect"
# Endpoint setting -> worker program and the id that stands for the endpoint at RunPod.
WORKERS = {
    "RUNPOD_EP_SDXL": ("sdxl", "local-sdxl"),
    "RUNPOD_EP_WHISPER": ("faster_whisper", "local-whisper"),
    "RUNPOD_EP_VLLM": ("vllm", "local-vllm"),
    "RUNPOD_EP_TTS": ("chatterbox", "local-tts"),
}
USERS_PROJECT, DEVELOPERS_PROJECT = "tarsify-users", "tarsify-studio"


@dataclass
class Options:
    """How a platform is set up. `durable=False` and no workers are for tests and benchmarks.

    `receiver_port`: of the receiver of webhooks; any free one unless it is given.
    `proxied`: the functions reach database, RunPod and storage through `Platform.network`, which
    can be told to fail.
    """

    folder: Path = ROOT / ".local"
    port: int = 8080
    receiver_port: int | None = None
    durable: bool = True
    workers: bool = True
    proxied: bool = False
    seconds_between_sweeps: float = 60.0
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    settings: Mapping[str, str] = field(default_factory=dict)


class Platform:
    """All processes of one installation; `url` is its one origin."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        folder = self.options.folder
        self.supervisor = Supervisor(folder / "logs", ROOT)
        self.postgres: PostgresServer | None = None
        names = (*PUBLIC, *INTERNAL, *_STAND_INS, "network", *map(_way, LINKS))
        self.ports = {name: free_port() for name in names}
        self.ports["receiver"] = self.options.receiver_port or self.ports["receiver"]
        self.network = Control(self.ports["network"])
        self.url = f"http://localhost:{self.options.port}"
        self.real_runpod = bool(self.options.environment.get("RUNPOD_API_KEY"))
        self.real_stripe = bool(self.options.environment.get("STRIPE_SECRET_KEY"))
        self.endpoints = self._endpoints()
        self._scheduler: Scheduler | None = None

    def start(self) -> None:
        """Brings everything up and the database to the newest schema. Raises NotStarted."""
        if listening(self.options.port):
            raise NotStarted(
                f"port {self.options.port} is taken: is Tarsify running already? "
                "Stop that, or choose another one with --port"
            )
        database = self._database()
        self.supervisor.start(self._stand_ins())
        if self.options.proxied:
            self.supervisor.start([self._proxy(database)])
        functions = self._functions(database)
        self.supervisor.start(functions)
        self.supervisor.start([self._gateway()])
        if self.options.workers and not self.real_runpod:
            self._start_workers()
        self.supervisor.watch(self._revive_database)
        self._scheduler = Scheduler(
            tasks_target=f"{HOST}:{self.ports['tasks-queue']}",
            queue=SCHEDULER,
            url=self.function_url("cleanup"),
            invoker=f"task-invoker@{PROJECT}.iam.gserviceaccount.com",
            seconds=self.options.seconds_between_sweeps,
        )
        self._scheduler.start()

    def stop(self) -> None:
        """Ends every process; the data stay in the folder."""
        if self._scheduler is not None:
            self._scheduler.stop()
        self.supervisor.stop()
        if self.postgres is not None:
            self.postgres.stop(mode="fast")

    def _revive_database(self) -> None:
        """PostgreSQL starts its own processes, so it is not the supervisor's to restart."""
        if self.postgres is not None and not listening(self.postgres.port):
            # Its last life may not be over yet; the supervisor looks again in a moment.
            with suppress(PostgresError):
                self.postgres.start()

    def function_url(self, name: str) -> str:
        """A function's own address, without the front door."""
        return f"http://{HOST}:{self.ports[name]}"

    @property
    def simulator_url(self) -> str:
        return f"http://{HOST}:{self.ports['runpod']}"

    @property
    def stripe_key(self) -> str:
        """The stand-in's; nobody is told the operator's own."""
        return STRIPE_KEY

    @property
    def stripe_url(self) -> str:
        return f"http://{HOST}:{self.ports['stripe']}"

    @property
    def receiver_url(self) -> str:
        """Where webhooks may be sent to on this machine."""
        return f"http://localhost:{self.ports['receiver']}"

    def token(self, project: str, uid: str, **claims: object) -> str:
        """An ID token of a local user."""
        return mint_local_token(project, uid, f"{uid}@example.com", name=uid.title(), **claims)

    @property
    def staff_token(self) -> str:
        return self.token(DEVELOPERS_PROJECT, "staff", admin=True)

    def _endpoints(self) -> dict[str, str]:
        """Endpoint ids by setting: the operator's at the real RunPod, else our own names."""
        if self.real_runpod:
            given = self.options.environment
            return {name: given[name] for name in WORKERS if given.get(name)}
        return {name: endpoint for name, (_, endpoint) in WORKERS.items()}

    def _database(self) -> str:
        from migrations.run import upgrade

        url = self.options.environment.get("DATABASE_URL", "")
        if not url:
            self.postgres = PostgresServer(
                self.options.folder / "postgres", durable=self.options.durable
            ).start()
            self.postgres.wanted_port = self.postgres.port  # the functions are told this one
            if not self.postgres.has_database("tarsify"):
                self.postgres.create_database("tarsify")
            url = self.postgres.url("tarsify")
        upgrade(url)
        return url

    def _stand_ins(self) -> list[Service]:
        folder, ports = self.options.folder, self.ports
        # The key names the address where its tokens are had, and that is another one each time.
        self._key_file.unlink(missing_ok=True)
        services = [
            _module(
                "storage",
                ports["storage"],
                "infra.local.storage",
                *("--data", str(folder / "storage"), "--bucket", BUCKET, "--bucket", UPLOADS),
                *("--service-account", str(self._key_file)),
            ),
            _module(
                "tasks-queue",
                ports["tasks-queue"],
                "infra.local.tasks",
                *("--certs-port", str(ports["tasks-certs"])),
                *("--journal", str(folder / "tasks.sqlite")),
                *(
                    part
                    for name in (*QUEUES, SCHEDULER)
                    for part in ("--queue", name + QUEUE_SETTINGS)
                ),
            ),
            _module(
                "identity",
                ports["identity"],
                "infra.local.identity",
                *("--data", str(folder / "identity.sqlite")),
            ),
        ]
        services.append(_module("receiver", ports["receiver"], "infra.local.receiver"))
        if not self.real_stripe:
            services.append(self._stripe())
        if not self.real_runpod:
            endpoints = [part for e in self.endpoints.values() for part in ("--endpoint", e)]
            key = ("--key", SIMULATOR_KEY)
            services.append(
                _module("runpod", ports["runpod"], "infra.local.runpod", *key, *endpoints)
            )
        return services

    def _stripe(self) -> Service:
        hook = f"http://{HOST}:{self.options.port}/api/webhooks/stripe"
        return _module(
            "stripe",
            self.ports["stripe"],
            "infra.local.stripe",
            *("--key", STRIPE_KEY, "--data", str(self.options.folder / "stripe.sqlite")),
            *("--receiver", hook, "--secret", STRIPE_SECRET),
            *("--connect", f"{hook}/connect", "--connect-secret", CONNECT_SECRET),
        )

    def _proxy(self, database: str) -> Service:
        targets = {**self.ports, "database": make_url(database).port or 5432}
        links = [f"{name}:{self.ports[_way(name)]}:{targets[name]}" for name in LINKS]
        told = [part for link in links for part in ("--link", link)]
        return _module("network", self.ports["network"], "infra.local.fault_proxy", *told)

    def _port_of(self, link: str) -> int:
        """Where the functions find RunPod or storage."""
        return self.ports[_way(link) if self.options.proxied else link]

    @property
    def _key_file(self) -> Path:
        return self.options.folder / "service-account.json"

    def _functions(self, database: str) -> list[Service]:
        environment = {**self._settings(database), **self.options.settings}
        return [
            Service(
                name,
                [
                    *(sys.executable, "-m", "functions_framework", "--target", name),
                    *("--source", f"functions/{name}/main.py"),
                    *("--host", HOST, "--port", str(self.ports[name])),
                ],
                self.ports[name],
                environment,
            )
            for name in (*PUBLIC, *INTERNAL)
        ]

    def _settings(self, database: str) -> dict[str, str]:
        """What the functions are told; the same names as in the cloud."""
        given, ports = self.options.environment, self.ports
        if self.options.proxied:
            way = make_url(database).set(port=ports[_way("database")])
            database = way.render_as_string(hide_password=False)
        runpod = {
            "RUNPOD_BASE_URL": f"http://{HOST}:{self._port_of('runpod')}/v2",
            "RUNPOD_API_KEY": SIMULATOR_KEY,
            "PUBLIC_URL": f"http://{HOST}:{self.options.port}",
        }
        stripe = {
            "STRIPE_SECRET_KEY": STRIPE_KEY,
            "STRIPE_API_URL": self.stripe_url,
            "STRIPE_WEBHOOK_SECRETS": STRIPE_SECRET,
            "STRIPE_CONNECT_WEBHOOK_SECRETS": CONNECT_SECRET,
        }
        if self.real_stripe:  # no webhook reaches a laptop: the success page asks by itself
            stripe = {"STRIPE_SECRET_KEY": given["STRIPE_SECRET_KEY"]}
        if self.real_runpod:
            runpod = {"RUNPOD_API_KEY": given["RUNPOD_API_KEY"], "PUBLIC_URL": ""}
        return {
            "PYTHONPATH": str(ROOT),
            "THREADS": "16",
            "MALLOC_ARENA_MAX": "2",  # as deployed (terraform/modules/function)
            "ENVIRONMENT": "local",
            "DATABASE_URL": database,
            "DB_POOL_SIZE": "12",
            "FIREBASE_USERS_PROJECT": USERS_PROJECT,
            "FIREBASE_DEVELOPERS_PROJECT": DEVELOPERS_PROJECT,
            "FIREBASE_AUTH_EMULATOR_HOST": f"{HOST}:{ports['identity']}",
            "CORS_ORIGINS": f"{self.url},http://localhost:3000,http://localhost:3001",
            "GCP_PROJECT": PROJECT,
            "CLOUD_TASKS_EMULATOR_HOST": f"{HOST}:{ports['tasks-queue']}",
            "TASKS_TARGET_URL": self.function_url("tasks"),
            "CLEANUP_TARGET_URL": self.function_url("cleanup"),
            "INVOKER_CERTS_URL": f"http://{HOST}:{ports['tasks-certs']}/oauth2/v1/certs",
            "OUTPUT_BUCKET": BUCKET,
            "UPLOAD_BUCKET": UPLOADS,
            # One machine is one caller, and its receivers of webhooks are no strangers.
            "RATE_LIMIT_SCALE": given.get("RATE_LIMIT_SCALE", "1000"),
            "TRUSTED_ORIGINS": f"{self.receiver_url},http://{HOST}:{self._port_of('storage')}",
            "STORAGE_EMULATOR_HOST": f"http://{HOST}:{self._port_of('storage')}",
            "STORAGE_SIGNER_KEY_FILE": str(self._key_file),
            "MARKET_URL": self.url,
            "STUDIO_URL": self.url,
            **stripe,
            **runpod,
        }

    def _gateway(self) -> Service:
        functions = [
            part for name in PUBLIC for part in ("--function", f"{name}={self.function_url(name)}")
        ]
        return _module("gateway", self.options.port, "infra.local.gateway", *functions)

    def _start_workers(self) -> None:
        """Real worker processes take the jobs: RunPod's SDK, our stand-ins for GPUs."""
        python = str(ensure_environment())
        services = []
        for name, (kind, _) in WORKERS.items():
            home = self.options.folder / "workers" / kind
            home.mkdir(parents=True, exist_ok=True)
            environment = worker_environment(
                kind, self.endpoints[name], f"{self.simulator_url}/v2", SIMULATOR_KEY, home
            )
            command = [python, "-u", "-m", f"infra.local.workers.{kind}"]
            services.append(
                Service(f"worker-{kind}", command, self.ports["runpod"], environment, alone=True)
            )
        self.supervisor.start(services)


_STAND_INS = (
    "storage", "tasks-queue", "tasks-certs", "identity", "runpod", "stripe", "receiver",
)  # fmt: skip


def _way(link: str) -> str:
    """The name of the port through which a link's target is reached."""
    return f"to-{link}"


def _module(name: str, port: int, module: str, *arguments: str) -> Service:
    command = [sys.executable, "-m", module, "--port", str(port), *arguments]
    return Service(name, command, port)
