"""What callers see when a part of ours is broken: a status, a code, and nothing about the part."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import exc, text

from common.db import Database
from common.errors import Unavailable, Unexpected
from common.gateways.runpod import RunPod
from common.gateways.storage import Storage
from common.gateways.tasks import Tasks
from common.http.failures import failure_of
from common.runtime import Runtime, install
from common.settings import Settings
from tests.functions.callers import KnownTokens, People, Studio
from tests.world import World

NOWHERE = "127.0.0.1:9"
LEAKS = (
    "Traceback", "pg8000", "sqlalchemy", "psycopg", "127.0.0.1", "refused", "RunPod", "runpod",
    "Errno", ".py", "requests", "HTTPConnection", "SELECT", "firebase", "google", "grpc",
)  # fmt: skip


def assert_clean(body: str) -> None:
    assert [leak for leak in LEAKS if leak in body] == []


@pytest.fixture
def without_database(apps: Any) -> People:
    """People who call while PostgreSQL is away; the identity service works."""
    settings = Settings(
        database_url=f"postgresql+pg8000://nobody:hunter2@{NOWHERE}/tarsify",
        db_pool_timeout_seconds=0.2,
    )
    broken, tokens = Runtime(settings), KnownTokens(settings)
    broken.identities = tokens
    install(broken)
    return People(tokens, lambda function: apps(function).test_client())


@pytest.mark.parametrize(
    ("function", "method", "path", "body"),
    [
        ("marketplace", "GET", "/models", None),
        ("marketplace", "GET", "/models/some-model", None),
        ("marketplace", "GET", "/auth/me", None),
        ("marketplace", "POST", "/auth/register", {}),
        ("marketplace", "POST", "/models/some-model/run", {"inputs": {}}),
        ("studio", "GET", "/auth/me", None),
        ("studio", "POST", "/tars-models", {}),
        ("admin", "GET", "/endpoints", None),
        ("admin", "DELETE", "/endpoints/00000000-0000-4000-8000-000000000000", None),
        ("marketplace", "GET", "/health/ready", None),
        ("admin", "GET", "/health/ready", None),
    ],
)
def test_w44_w80_without_the_database_every_route_is_a_503(
    without_database: People, function: str, method: str, path: str, body: Any
) -> None:
    caller = without_database.signed_in(function, "someone", admin=True)
    response = caller.send(method, path, body)
    error = response.get_json()["error"]
    assert response.status_code == 503
    assert error["code"] == ("NOT_READY" if path == "/health/ready" else "UNAVAILABLE")
    assert error["retryable"] is True
    assert_clean(response.text)


@pytest.mark.parametrize("path", ["/health", "/health/live", "/openapi.json"])
def test_w80_a_process_without_its_database_is_alive_all_the_same(
    without_database: People, path: str
) -> None:
    assert without_database.stranger("studio").send("GET", path).status_code == 200


def test_the_callback_without_the_database_asks_to_be_called_again(
    without_database: People,
) -> None:
    callback = without_database.stranger("callback")
    callback.prefix = "/api/webhooks"
    path = "/runpod/00000000-0000-4000-8000-000000000000/token"
    response = callback.send("POST", path, {"id": "job"})
    assert response.status_code == 503
    assert_clean(response.text)


def test_a_database_that_comes_back_is_used_again(people: People, parts: Runtime) -> None:
    consumer = people.consumer()
    parts.db.dispose()
    assert consumer.ok("GET", "/auth/me")["creditsBalance"] == 0


def test_a_connection_that_the_server_cut_is_a_503_once(studio: Studio, parts: Runtime) -> None:
    with parts.db.step() as other, parts.db.step() as mine:
        pid = mine.execute(text("SELECT pg_backend_pid()")).scalar_one()
        other.execute(text("SET ROLE NONE"))
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises((exc.DBAPIError, ConnectionError)) as cut:
            mine.execute(text("SELECT 1"))
        mine.invalidate()
        other.invalidate()
    assert isinstance(failure_of(cut.value), Unavailable)
    assert studio.api.ok("GET", "/tars-models") == []


def test_a_full_pool_is_a_503(settings: Settings, people: People, parts: Runtime) -> None:
    consumer = people.consumer()
    small = settings.model_copy(update={"db_pool_size": 1, "db_pool_timeout_seconds": 0.05})
    parts.db = Database(small)
    with parts.db.step():
        response = consumer.send("GET", "/auth/me")
    assert (response.status_code, response.get_json()["error"]["code"]) == (503, "UNAVAILABLE")
    assert consumer.ok("GET", "/auth/me")
    parts.db.dispose()


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("query_canceled", Unavailable),
        ("deadlock_detected", Unavailable),
        ("serialization_failure", Unavailable),
        ("lock_not_available", Unavailable),
        ("too_many_connections", Unavailable),
        ("admin_shutdown", Unavailable),
        ("raise_exception", Unexpected),
        ("undefined_column", Unexpected),
        ("check_violation", Unexpected),
    ],
)
def test_only_what_may_pass_is_called_unavailable(
    db: Database, condition: str, kind: type[Exception]
) -> None:
    fail = text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{condition}'; END $$")
    with pytest.raises(exc.DBAPIError) as refused, db.step() as connection:
        connection.execute(fail)
    assert type(failure_of(refused.value)) is kind


def test_a_mistake_of_ours_is_not_called_unavailable() -> None:
    assert type(failure_of(RuntimeError("x"))) is Unexpected


@contextmanager
def broken(world: World, **parts: Any) -> Iterator[None]:
    """The world with parts that lead nowhere."""
    whole = {name: world.runtime.__dict__.get(name) for name in parts}
    world.runtime.__dict__.update(parts)
    try:
        yield
    finally:
        for name, part in whole.items():
            del world.runtime.__dict__[name]
            if part is not None:
                world.runtime.__dict__[name] = part


def test_w22_without_the_gpu_service_a_run_waits_and_says_nothing_about_it(world: World) -> None:
    model, consumer = world.model(price=10), world.consumer(credits_=100)
    with broken(world, runpod=RunPod(f"http://{NOWHERE}/v2", "hunter2")):
        path = f"/api/marketplace/models/{model.slug}/run"
        started = consumer.call("POST", path, {"inputs": {"prompt": "x"}})
        assert started.status_code == 201
        run = f"/api/marketplace/runs/{started.json()['data']['executionId']}"
        answers = [started, *(consumer.call("GET", p) for p in (run, f"{run}/status?sync=true"))]
        answers.append(consumer.call("POST", f"{run}/cancel"))
    for answer in answers:
        assert answer.status_code < 500
        assert_clean(answer.text.replace(world.base, ""))


def test_without_the_task_queue_a_run_starts_all_the_same(world: World) -> None:
    model, consumer = world.model(price=10), world.consumer(credits_=100)
    nowhere = world.settings.model_copy(update={"cloud_tasks_emulator_host": NOWHERE})
    with broken(world, tasks=Tasks(nowhere)):
        run = world.run(consumer, model)
        assert world.ended(consumer, run)["status"] == "COMPLETED"


def test_without_the_bucket_an_answer_says_nothing_about_it(world: World, tmp_path: Path) -> None:
    model, consumer = world.model(price=10), world.consumer(credits_=100)
    run = world.run(consumer, model)
    world.ended(consumer, run)
    nowhere = world.settings.model_copy(
        update={"storage_signer_key_file": str(tmp_path / "missing.json")}
    )
    with broken(world, storage=Storage(nowhere)):
        answer = consumer.call("GET", f"/api/marketplace/runs/{run}")
    assert answer.status_code >= 500
    assert_clean(answer.text)
    assert "missing.json" not in answer.text


def test_no_error_class_speaks_of_vendors_in_its_message() -> None:
    from common import errors

    kinds = [each for each in vars(errors).values() if isinstance(each, type)]
    messages = [each.default_message() for each in kinds if issubclass(each, errors.TarsifyError)]
    assert len(messages) > 30
    for message, word in itertools.product(
        messages, ("Firebase", "Cloud", "Postgres", "GPU worker")
    ):
        assert word not in message
