"""The database fails over, or an answer of ours is lost: every call may be repeated."""

import pytest
from google.cloud import tasks_v2
from sqlalchemy import create_engine, pool, text

from tests.faults.case import MINUTE_OF_SWEEP, Case


class Failover:
    """Cuts every connection to the database, as a failover does."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(
            url, poolclass=pool.NullPool, connect_args={"ssl_context": False}
        )

    def __call__(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )


@pytest.fixture
def failover(database_url: str) -> Failover:
    return Failover(database_url)


def scheduled_sweep(case: Case) -> int | None:
    """What Cloud Scheduler is answered."""
    settings = case.world.runtime.settings
    token = tasks_v2.OidcToken(
        service_account_email=settings.invoker_email, audience=settings.cleanup_target_url
    )
    call = tasks_v2.HttpRequest(
        http_method=tasks_v2.HttpMethod.POST,
        url=f"{settings.cleanup_target_url}/sweep",
        oidc_token=token,
    )
    with case.world.tasks.client() as client:
        task = client.create_task(
            parent=settings.task_queue_path("poll"), task=tasks_v2.Task(http_request=call)
        )
    status = case.world.tasks.deliver(task.name).status
    if status != 200:
        case.world.tasks.drop(task.name)
    return status


def test_db_failover_before_a_start_is_one_failed_call_at_most(
    case: Case, failover: Failover
) -> None:
    path = f"/api/marketplace/models/{case.model.slug}/run"
    body, key = {"inputs": {"prompt": "x"}}, {"Idempotency-Key": "one click"}
    failover()

    first = case.consumer.call("POST", path, body, **key)
    second = case.consumer.ok("POST", path, body, **key)

    assert first.status_code in {201, 503}
    case.runs.append(second["executionId"])
    assert case.ended(case.runs[0], within=30)["status"] == "COMPLETED"
    assert len(case.jobs()) == 1


def test_db_failover_while_runpod_calls_back_is_mended_by_its_next_call(
    case: Case, failover: Failover
) -> None:
    case.works_for(10)
    run = case.run()

    failover()
    case.world.advance(12, step=4)
    case.world.advance(12, step=4)

    assert case.world.ended(case.consumer, run)["status"] == "COMPLETED"
    assert case.effects().count("completed") == 1


def test_db_failover_during_a_poll_is_mended_by_the_next(case: Case, failover: Failover) -> None:
    case.fault("F1")
    case.works_for(5)
    run = case.run()
    case.world.advance(9)

    failover()
    case.world.advance(3, step=3)

    answers = {attempt.status for attempt in case.world.tasks.attempts()[-2:]}
    assert answers <= {503, 200}
    assert case.ended(run, within=MINUTE_OF_SWEEP)["status"] == "COMPLETED"


def test_db_failover_during_a_sweep_is_mended_by_the_next(case: Case, failover: Failover) -> None:
    run = case.start_only()
    case.only_ours(30)

    failover()
    first, second = scheduled_sweep(case), scheduled_sweep(case)

    assert first in {200, 503}
    assert second == 200
    assert case.ended(run, within=30)["status"] == "COMPLETED"


def test_commit_ok_and_answer_lost_is_the_same_run_when_repeated(case: Case) -> None:
    path = f"/api/marketplace/models/{case.model.slug}/run"
    body, key = {"inputs": {"prompt": "x"}}, {"Idempotency-Key": "one click"}

    lost = case.consumer.ok("POST", path, body, **key)["executionId"]
    case.world.advance(60, sweep=True)
    again = case.consumer.call("POST", path, body, **key)

    case.runs.append(lost)
    assert again.json()["data"]["executionId"] == lost
    assert again.json()["data"]["status"] == "COMPLETED"
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(case.jobs()) == 1


def test_fold_worker_dies_and_balances_are_exact_all_the_same(case: Case) -> None:
    for _ in range(3):
        case.world.ended(case.consumer, case.run())

    earned = case.model.developer.ok("GET", "/api/studio/auth/me")["totalEarnings"]
    case.world.sweep()

    assert earned == 3 * 7
    assert case.model.developer.ok("GET", "/api/studio/auth/me")["totalEarnings"] == 3 * 7
