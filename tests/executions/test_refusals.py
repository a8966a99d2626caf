"""What the database refuses of executions: states that must not be, whoever asks for them."""

import json
import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from common.db import Database
from infra.local.postgres import PostgresServer
from tests.factories import Offer, run_terms, trial_terms
from tests.steps import Steps, refusal

CHECK, FOREIGN_KEY, UNIQUE, NOT_NULL = "23514", "23503", "23505", "23502"
GUARD, PRIVILEGE = "23001", "42501"
ENDED = "phase = 'done', finished_at = now(), next_check_at = NULL"


@pytest.fixture(scope="module")
def database_url(postgres: PostgresServer, template: str) -> Iterator[str]:
    """One database for all of them: a refusal changes nothing, and each test has its own rows."""
    postgres.create_database("execution_refusals", template=template)
    yield postgres.url("execution_refusals")
    postgres.drop_database("execution_refusals")


@pytest.fixture
def app(db: Database) -> Iterator[Connection]:
    """A connection as the application role."""
    with db.step() as connection:
        yield connection


@pytest.fixture
def waiting(steps: Steps, offer: Offer, consumer: uuid.UUID) -> uuid.UUID:
    """A run that has no attempt yet."""
    return steps.start(offer, consumer)


@pytest.fixture
def running(steps: Steps, offer: Offer, consumer: uuid.UUID) -> uuid.UUID:
    """A run that a GPU works on."""
    execution, attempt = steps.running(offer, consumer)
    assert steps.observe(attempt, "RUNNING").effect == "alive"
    return execution


@pytest.fixture
def ended(steps: Steps, waiting: uuid.UUID, consumer: uuid.UUID) -> uuid.UUID:
    """A run that was cancelled."""
    assert steps.cancel(waiting, consumer) == "cancelled"
    return waiting


@pytest.mark.parametrize(
    "change",
    [
        "status = 'COMPLETED', output = '{}'",
        "status = 'PENDING', phase = 'waiting', finished_at = NULL, next_check_at = now()",
        "error_message = 'edited'",
        "finished_at = now()",
        "status = status",
    ],
)
def test_an_ended_execution_never_changes(owner: Connection, ended: uuid.UUID, change: str) -> None:
    assert refusal(owner, f"UPDATE executions SET {change} WHERE id = :id", id=ended) == GUARD


@pytest.mark.parametrize(
    "attack",
    [
        "DELETE FROM executions",
        "TRUNCATE executions CASCADE",
        "UPDATE announcements SET status = 'COMPLETED'",
        "DELETE FROM announcements",
        "TRUNCATE announcements",
    ],
)
def test_what_happened_is_kept(owner: Connection, ended: uuid.UUID, attack: str) -> None:
    assert refusal(owner, attack) == GUARD


def test_an_execution_is_announced_once(owner: Connection, ended: uuid.UUID) -> None:
    again = "INSERT INTO announcements (execution_id, status, at) VALUES (:id, 'FAILED', now())"
    assert refusal(owner, again, id=ended) == UNIQUE


@pytest.mark.parametrize("status", ["QUEUED", "PENDING"])
def test_a_status_never_goes_back(owner: Connection, running: uuid.UUID, status: str) -> None:
    back = "UPDATE executions SET status = :status WHERE id = :id"
    assert refusal(owner, back, status=status, id=running) == GUARD


@pytest.mark.parametrize(
    "term",
    [
        "id = gen_random_uuid()",
        "kind = 'TEST'",
        "price = price + 1",
        "fee = 0",
        "consumer_id = NULL",
        "developer_id = gen_random_uuid()",
        "tars_model_id = gen_random_uuid()",
        "version_id = NULL",
        "runpod_endpoint_id = 'another'",
        "queue_seconds = 86400",
        "execution_timeout_seconds = 86400",
        "expires_at = expires_at + interval '1 day'",
        "inputs = '{}'",
        "payload = '{}'",
    ],
)
def test_the_terms_of_an_execution_are_frozen(
    owner: Connection, waiting: uuid.UUID, term: str
) -> None:
    assert refusal(owner, f"UPDATE executions SET {term} WHERE id = :id", id=waiting) == GUARD


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("next_check_at = NULL", id="alive without a time to look"),
        pytest.param("attempts = 4", id="a fourth attempt"),
        pytest.param("attempts = -1", id="less than no attempt"),
        pytest.param("phase = 'stuck'", id="an unknown phase"),
        pytest.param("status = 'LOST'", id="an unknown status"),
        pytest.param("output = '{}'", id="output while alive"),
        pytest.param("finished_at = now()", id="finished while alive"),
        pytest.param("status = 'FAILED'", id="terminal but alive"),
        pytest.param("phase = 'done'", id="done but not terminal"),
        pytest.param(f"{ENDED}, status = 'FAILED', output = '{{}}'", id="failed with output"),
        pytest.param(f"{ENDED}, status = 'TIMED_OUT', output = '{{}}'", id="late with output"),
        pytest.param(f"{ENDED}, status = 'COMPLETED'", id="completed with nothing"),
        pytest.param(
            "phase = 'done', status = 'FAILED', finished_at = now()", id="done but looked at"
        ),
        pytest.param("delay_ms = -1", id="a negative delay"),
        pytest.param("execution_ms = -1", id="a negative duration"),
    ],
)
def test_a_state_that_makes_no_sense_cannot_be_stored(
    owner: Connection, waiting: uuid.UUID, change: str
) -> None:
    assert refusal(owner, f"UPDATE executions SET {change} WHERE id = :id", id=waiting) == CHECK


ATTEMPT = """
INSERT INTO attempts (id, execution_id, n, runpod_endpoint_id, token_hash, begun_at, deadline_at,
                      job_id)
VALUES (gen_random_uuid(), :execution, :n, :endpoint, '', now(), now(), :job)
"""


def test_a_fourth_attempt_cannot_be_stored(owner: Connection, waiting: uuid.UUID) -> None:
    values = {"execution": waiting, "endpoint": "ep", "job": None}
    assert refusal(owner, ATTEMPT, n=4, **values) == CHECK
    assert refusal(owner, ATTEMPT, n=0, **values) == CHECK


def test_an_attempt_for_nothing_cannot_be_stored(owner: Connection) -> None:
    values = {"execution": uuid.uuid4(), "endpoint": "ep", "job": None}
    assert refusal(owner, ATTEMPT, n=1, **values) == FOREIGN_KEY


def test_two_attempts_of_one_number_cannot_be_stored(owner: Connection, running: uuid.UUID) -> None:
    values = {"execution": running, "endpoint": "ep", "job": None}
    assert refusal(owner, ATTEMPT, n=1, **values) == UNIQUE


def test_one_job_cannot_belong_to_two_attempts(
    owner: Connection, steps: Steps, offer: Offer, consumer: uuid.UUID
) -> None:
    execution, attempt = steps.running(offer, consumer)
    values = {"endpoint": offer.runpod_endpoint_id, "job": steps.job(attempt)}
    assert refusal(owner, ATTEMPT, execution=execution, n=2, **values) == UNIQUE


START = "SELECT * FROM execution_start(:new, NULL, '', now())"


@pytest.mark.parametrize(
    ("terms", "state"),
    [
        ({"price": 5_000_000, "fee": 5_000_001}, CHECK),
        ({"price": 5_000_000, "fee": -1}, CHECK),
        ({"price": 0, "fee": 0}, CHECK),
        ({"price": -5, "fee": 0}, CHECK),
        ({"price": None}, "P0402"),
        ({"consumer_id": None}, CHECK),
        ({"consumer_id": str(uuid.uuid4())}, "P0402"),
        ({"version_id": None}, "P0409"),
        ({"version_id": str(uuid.uuid4())}, "P0409"),
        ({"runpod_endpoint_id": "another"}, "P0409"),
        ({"queue_seconds": 0}, CHECK),
        ({"execution_timeout_seconds": -5}, CHECK),
        ({"inputs": None}, NOT_NULL),
        ({"kind": "GIFT"}, CHECK),
        ({"kind": "TEST"}, CHECK),
        ({"developer_id": str(uuid.uuid4())}, FOREIGN_KEY),
    ],
)
def test_a_run_on_terms_that_make_no_sense_cannot_start(
    app: Connection,
    offer: Offer,
    consumer: uuid.UUID,
    terms: dict[str, object],
    state: str,
) -> None:
    new = json.dumps(run_terms(offer, consumer) | terms)
    assert refusal(app, START, new=new) == state


def test_a_test_run_has_no_price(app: Connection, offer: Offer) -> None:
    start = "SELECT * FROM execution_start_test(:new, '', 50, now())"
    priced = json.dumps(trial_terms(offer) | {"price": 1})
    assert refusal(app, start, new=priced) == CHECK


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE tars_models SET status = 'ARCHIVED' WHERE id = :model",
        "UPDATE tars_models SET status = 'ARCHIVED', deleted_at = now() WHERE id = :model",
        "UPDATE base_models SET is_active = false WHERE id = :base",
        "UPDATE runpod_endpoints SET is_active = false WHERE id = :endpoint",
        "UPDATE runpod_endpoints SET runpod_endpoint_id = 'moved' WHERE id = :endpoint",
    ],
)
def test_a_model_that_changed_since_it_was_read_cannot_be_run(
    owner: Connection,
    app: Connection,
    offer: Offer,
    consumer: uuid.UUID,
    change: str,
) -> None:
    ids = {
        "model": offer.tars_model_id,
        "base": offer.base_model_id,
        "endpoint": offer.endpoint_id,
    }
    owner.execute(text(change), {k: v for k, v in ids.items() if f":{k}" in change})
    assert refusal(app, START, new=json.dumps(run_terms(offer, consumer))) == "P0409"


@pytest.mark.parametrize(
    "attack",
    [
        verb
        for table in (
            "executions",
            "attempts",
            "execution_events",
            "announcements",
            "outbox",
            "idempotency_keys",
        )
        for verb in (
            f"INSERT INTO {table} DEFAULT VALUES",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
        )
    ]
    + [
        "UPDATE executions SET status = 'COMPLETED'",
        "UPDATE executions SET price = 1",
        "UPDATE attempts SET job_id = 'mine'",
        "UPDATE announcements SET status = 'COMPLETED'",
        "UPDATE outbox SET due_at = now()",
        "UPDATE idempotency_keys SET execution_id = gen_random_uuid()",
        "ALTER TABLE executions DISABLE TRIGGER ALL",
        "CREATE TABLE mine ()",
    ],
)
def test_the_application_writes_no_table_of_executions(app: Connection, attack: str) -> None:
    assert refusal(app, attack) == PRIVILEGE


@pytest.mark.parametrize(
    "call",
    [
        "execution_finish(gen_random_uuid(), 'COMPLETED', '{}', NULL, NULL, now())",
        "execution_insert(NULL, now())",
        "execution_note(gen_random_uuid(), NULL, 'a', 'b', now())",
        "execution_lock(gen_random_uuid())",
        "execution_alive(NULL, NULL, 'RUNNING', now())",
        "execution_retry_or_finish(NULL, true, interval '0', NULL, NULL, now())",
    ],
)
def test_the_application_takes_whole_steps_and_not_their_parts(app: Connection, call: str) -> None:
    assert refusal(app, f"SELECT {call}") == PRIVILEGE
