"""A whole Tarsify inside the test process, driven over HTTP the way people drive it.

Real: PostgreSQL, every function's code, the RunPod simulator, Google's clients for Tasks and
Storage against their stand-ins. Replaced, by constructor, at the outermost edge: who is signed in,
and the clock, which tests push forward.
"""

import json
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from sqlalchemy import text
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from common.errors import InvalidToken, WrongProject
from common.gateways.identity import Audience, Identities, Identity
from common.runtime import Runtime, install
from common.settings import Settings
from functions.admin.main import admin
from functions.callback.main import callback
from functions.cleanup.main import cleanup
from functions.marketplace.main import marketplace
from functions.payments.main import payments
from functions.studio.main import studio
from functions.tasks.main import tasks
from infra.local.runpod.client import SimulatorClient
from infra.local.storage.running import RunningStorage
from infra.local.stripe.client import StripeControl
from infra.local.tasks.running import RunningTasks

SDXL_OUTPUT_PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SDXL_OUTPUT = {"images": [SDXL_OUTPUT_PIXEL], "image_url": SDXL_OUTPUT_PIXEL, "seed": 7}
STRIPE_SECRET, CONNECT_SECRET = "whsec_own_account", "whsec_connected_accounts"
PROMPT_SCHEMA = {
    "type": "object",
    "required": ["prompt"],
    "additionalProperties": False,
    "properties": {
        "prompt": {"type": "string", "title": "Prompt", "minLength": 1, "maxLength": 2000},
        "width": {"type": "integer", "enum": [512, 768, 1024], "default": 1024},
        "seed": {"type": "integer", "minimum": 0},
        "num_inference_steps": {"type": "integer", "minimum": 1, "maximum": 50, "default": 25},
    },
}


class Crash(BaseException):
    """The process died here: no handler of errors sees it, the caller sees a broken line."""


class ShiftedClock:
    """The machine's clock, pushed forward by tests. Sleeping really sleeps, shortly."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    def sleep(self, seconds: float) -> None:
        threading.Event().wait(min(seconds, 0.02))


class NamedTokens(Identities):
    """Tokens that say who they are: `<project>:<uid>` with the e-mail and name derived."""

    def verify(self, token: str, audience: Audience) -> Identity:
        project, _, uid = token.partition(":")
        if project not in {"users", "developers"} or not uid:
            raise InvalidToken
        if project != audience:
            raise WrongProject
        return Identity(
            uid=uid,
            email=f"{uid}@example.com",
            email_verified=True,
            name=f"Name of {uid}",
            picture=None,
            admin=uid.startswith("staff"),
        )


class WorldRuntime(Runtime):
    """The real runtime with the world's clock and tokens."""

    def __init__(self, settings: Settings, clock: ShiftedClock) -> None:
        super().__init__(settings, clock)
        self.__dict__["identities"] = NamedTokens(settings)


@dataclass
class Caller:
    """One person at one front door."""

    base: str
    token: str | None = None
    session: requests.Session = field(default_factory=requests.Session)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        sent = {"Content-Type": "application/json", **headers}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        data = json.dumps(body) if body is not None else None
        return self.session.request(
            method, self.base + path, data=data, headers=sent, timeout=60, allow_redirects=False
        )

    def ok(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The data of a successful answer."""
        response = self.call(method, path, body, **headers)
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return None if response.status_code == 204 else response.json()["data"]

    def refused(
        self, status: int, method: str, path: str, body: Any = None, **headers: str
    ) -> dict[str, Any]:
        """The error of a refused request."""
        response = self.call(method, path, body, **headers)
        assert response.status_code == status, f"{response.status_code} {response.text}"
        error: dict[str, Any] = response.json()["error"]
        return error


@dataclass
class Model:
    """A published model and the endpoint it runs on."""

    slug: str
    id: str
    endpoint_id: str
    developer: Caller
    price: int


class World:
    """One installation with its people. Every method is something a person or a machine does."""

    def __init__(
        self,
        settings: Settings,
        simulator: SimulatorClient,
        task_queue: RunningTasks,
        stripe: StripeControl,
        base: str,
    ) -> None:
        self.clock = ShiftedClock()
        self.runtime = WorldRuntime(settings, self.clock)
        self.simulator, self.tasks, self.base = simulator, task_queue, base
        self.stripe = stripe
        self.settings = settings
        self._number = iter(range(1, 10**6))
        self.staff = Caller(base, "developers:staff")

    def consumer(self, *, credits_: int = 0) -> Caller:
        """A registered consumer with that many credits."""
        uid = f"consumer{next(self._number)}"
        caller = Caller(self.base, f"users:{uid}")
        account = caller.ok("POST", "/api/marketplace/auth/register", {"name": uid})
        if credits_:
            self.grant(account["id"], credits_)
        return caller

    def grant(self, consumer_id: str, amount: int) -> None:
        self.staff.ok(
            "POST",
            "/api/admin/credits/grants",
            {
                "consumerId": consumer_id,
                "credits": amount,
                "reason": "a test",
                "reference": str(uuid.uuid4()),
            },
        )

    def developer(self) -> Caller:
        uid = f"developer{next(self._number)}"
        caller = Caller(self.base, f"developers:{uid}")
        caller.ok("POST", "/api/studio/auth/register", {"email": "", "displayName": uid})
        return caller

    def bought(self, consumer: Caller, cents: int) -> dict[str, Any]:
        """Buys credits as a shopper does: order, Stripe's page, back; answers the purchase."""
        opened = consumer.ok("POST", "/api/marketplace/credits/purchase", {"amountCents": cents})
        self.stripe.pay(opened["checkoutUrl"].rpartition("/")[2])
        return self.settled(consumer, opened["id"])

    def settled(self, consumer: Caller, purchase_id: str) -> dict[str, Any]:
        """The purchase once it is paid, by webhook or by the success page's own question."""
        path = f"/api/marketplace/credits/purchases/{purchase_id}"
        found: dict[str, Any] = consumer.ok("GET", path)
        assert found["status"] != "pending"
        return found

    def base_model(self, *, schema: dict[str, Any] | None = None, **more: Any) -> tuple[str, str]:
        """A base model on an endpoint of its own: (base model id, RunPod endpoint id)."""
        number = next(self._number)
        runpod_id = f"ep{number}x{uuid.uuid4().hex[:8]}"
        self.simulator.add_endpoint(runpod_id)
        self.simulator.behave(runpod_id, {"mode": "instant", "output": SDXL_OUTPUT})
        endpoint = self.staff.ok(
            "POST",
            "/api/admin/endpoints",
            {"runpodEndpointId": runpod_id, "name": f"Endpoint {number}", "gpuType": "A40"},
        )
        body = {
            "endpointId": endpoint["id"],
            "slug": f"base-{number}",
            "name": f"Base {number}",
            "category": "IMAGE",
            "inputSchema": schema or PROMPT_SCHEMA,
            "outputType": "IMAGE",
            "outputFormat": "png",
            "outputAdapter": "sdxl",
            **more,
        }
        return self.staff.ok("POST", "/api/admin/base-models", body)["id"], runpod_id

    def model(
        self,
        *,
        price: int = 10,
        overrides: dict[str, Any] | None = None,
        developer: Caller | None = None,
        **base: Any,
    ) -> Model:
        """A published model, with everything beneath it."""
        base_id, endpoint_id = self.base_model(**base)
        owner = developer or self.developer()
        slug = f"model-{next(self._number)}"
        body = {
            "baseModelId": base_id,
            "title": f"Title of {slug}",
            "slug": slug,
            "description": "A model for tests",
            "priceCredits": price,
            "configOverrides": overrides,
        }
        made = owner.ok("POST", "/api/studio/tars-models", body)
        path = f"/api/studio/tars-models/{made['id']}/publish"
        owner.ok("POST", path, {"action": "publish"})
        return Model(slug, made["id"], endpoint_id, owner, price)

    def run(self, consumer: Caller, model: Model, **inputs: Any) -> str:
        """Starts a run and answers its id."""
        path = f"/api/marketplace/models/{model.slug}/run"
        given = {"inputs": inputs or {"prompt": "a lighthouse"}}
        return str(consumer.ok("POST", path, given)["executionId"])

    def shown(self, consumer: Caller, execution_id: str) -> dict[str, Any]:
        """The run as its consumer sees it now."""
        found: dict[str, Any] = consumer.ok("GET", f"/api/marketplace/runs/{execution_id}")
        return found

    def ended(self, consumer: Caller, execution_id: str, *, seconds: float = 10) -> dict[str, Any]:
        """The run once it has ended, by callbacks alone; no time is pushed forward."""
        waited = 0.0
        while (run := self.shown(consumer, execution_id))["completedAt"] is None:
            assert waited < seconds, f"still {run['status']} after {seconds} s"
            threading.Event().wait(0.02)
            waited += 0.02
        return run

    def balance(self, consumer: Caller) -> int:
        return int(consumer.ok("GET", "/api/marketplace/auth/me")["creditsBalance"])

    def advance(self, seconds: float, *, step: float = 15, sweep: bool = False) -> None:
        """Lets time pass in steps: RunPod's timers fire, due tasks are delivered."""
        passed = 0.0
        while passed < seconds:
            stride = min(step, seconds - passed)
            self.clock.shift += timedelta(seconds=stride)
            self.simulator.advance(stride)
            passed += stride
            self.tasks.deliver_all_due(self.clock.now())
            if sweep:
                self.sweep()

    def sweep(self) -> dict[str, int]:
        """Cloud Scheduler's minute, without its OIDC check, which has tests of its own."""
        return self.scheduled("/sweep") | self.scheduled("/cancels")

    def tell(self, *, seconds: float = 10) -> None:
        """Makes every delivery of a webhook that is due, also those asked for a moment later."""
        fresh = (
            "SELECT count(*) FROM deliveries WHERE state = 'waiting' AND attempts = 0 "
            "AND execution_id IS NOT NULL"  # the others are for the sweep
        )
        waited = 0.0
        while True:
            self.tasks.deliver_all_due(self.clock.now())
            if not self.sql(fresh)[0][0]:
                return
            assert waited < seconds, "deliveries that nobody was asked to make"
            threading.Event().wait(0.02)
            waited += 0.02

    def scheduled(self, path: str) -> dict[str, int]:
        """One call of the scheduler's."""
        from functions.cleanup.main import app

        route = next(r for r in app.table if r.path == path)
        done: dict[str, int] = route.handler(None).model_dump()
        return done

    def sql(self, statement: str, **parameters: Any) -> list[Any]:
        """Reads the database as the application role."""
        with self.runtime.db.step() as connection:
            return list(connection.execute(text(statement), parameters))

    def violations(self) -> list[Any]:
        """Broken invariants I1 to I10; must be empty."""
        views = ("ledger.violation", "payment_violation", "execution_violation")
        return [row for view in views for row in self.sql(f"SELECT * FROM {view}")]

    def jobs(self, model: Model) -> list[dict[str, Any]]:
        """What RunPod was asked to do."""
        return self.simulator.jobs(model.endpoint_id)


FUNCTIONS: dict[str, Callable[[Request], Response]] = {
    "/api/marketplace": marketplace,
    "/api/consumer": marketplace,
    "/api/public": marketplace,
    "/api/studio": studio,
    "/api/developer": studio,
    "/api/admin": admin,
    "/api/webhooks/stripe": payments,
    "/api/webhooks": callback,
    "/internal/tasks": tasks,
    "/internal/cleanup": cleanup,
}


def front_door(environ: dict[str, Any], start_response: Any) -> Any:
    """One origin for all functions; a function that dies takes its connection with it."""
    try:
        return _sent(_answer(environ, start_response), environ)
    except Crash:
        raise _died(environ) from None


def _sent(chunks: Any, environ: dict[str, Any]) -> Iterator[bytes]:
    """The answer bit by bit: a function may also die in the middle of it."""
    try:
        yield from chunks
    except Crash:
        raise _died(environ) from None
    finally:
        chunks.close()


def _died(environ: dict[str, Any]) -> ConnectionResetError:
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return ConnectionResetError()


def _answer(environ: dict[str, Any], start_response: Any) -> Any:
    """Internal functions keep a path of their own here."""
    path = environ["PATH_INFO"]
    for prefix, function in FUNCTIONS.items():
        if path == prefix or path.startswith(prefix + "/"):
            if prefix.startswith("/internal"):
                environ["PATH_INFO"] = path[len(prefix) :] or "/"
            return function(Request(environ))(environ, start_response)
    return marketplace(Request(environ))(environ, start_response)


@contextmanager
def serving() -> Iterator[str]:
    """Serves all functions on a free port; answers the base URL."""
    from werkzeug.serving import WSGIRequestHandler

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *args: Any, **more: Any) -> None:
            """Tests read answers, not logs."""

    server = make_server("127.0.0.1", 0, front_door, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def world_of(
    settings: Settings,
    *,
    simulator: SimulatorClient,
    task_queue: RunningTasks,
    storage: RunningStorage,
    stripe: StripeControl,
    base: str,
) -> Iterator[World]:
    """A world on a fresh database; it must leave the books in order."""
    complete = settings.model_copy(
        update={
            "runpod_base_url": simulator.base_url,
            "runpod_api_key": simulator.key,
            "public_url": base,
            "tasks_target_url": f"{base}/internal/tasks",
            "cleanup_target_url": f"{base}/internal/cleanup",
            "cloud_tasks_emulator_host": task_queue.target,
            "invoker_certs_url": task_queue.certs_url,
            "storage_emulator_host": storage.url,
            "storage_signer_key_file": str(storage.service_account),
            "output_bucket": "tarsify-outputs",
            "stripe_secret_key": stripe.key,
            "stripe_api_url": stripe.url,
            "stripe_webhook_secrets": (STRIPE_SECRET,),
            "stripe_connect_webhook_secrets": (CONNECT_SECRET,),
            "market_url": "https://tarsify.com",
            "log_level": "ERROR",
            "cors_origins": ("https://studio.tarsify.com", "http://localhost:3000"),
        }
    )
    world = World(complete, simulator, task_queue, stripe, base)
    install(world.runtime)
    try:
        yield world
        assert world.violations() == []
    finally:
        for task in task_queue.waiting():
            task_queue.drop(task.name)
        simulator.reset()
        stripe.reset()
        world.runtime.db.dispose()
