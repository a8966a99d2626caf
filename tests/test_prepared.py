"""Statements are prepared once per connection and keep meaning the same."""

import uuid
from typing import Any

import pytest
from pg8000.converters import timestamptz_in
from pg8000.core import BIND, EXECUTE_MSG, FLUSH_MSG, SYNC_MSG
from sqlalchemy import Connection, TextClause, create_engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from common.db import Database, sqlstate, violated
from common.prepared import REMEMBERED_STATEMENTS


def test_a_statement_is_prepared_once_and_answers_anew_each_time(db: Database) -> None:
    with db.step() as connection:
        answers = [_echo(connection, number) for number in range(3)]
        assert answers == [0, 1, 2]
        assert _prepared(connection, "CAST") == 1


class Tapped:
    """A driver's socket file that remembers what was sent."""

    def __init__(self, wire: Any) -> None:
        self.wire, self.sent = wire, [b""]

    def write(self, data: bytes) -> None:
        self.sent[-1] += data
        self.wire.write(data)

    def flush(self) -> None:
        self.sent.append(b"")
        self.wire.flush()

    def read(self, size: int) -> bytes:
        return bytes(self.wire.read(size))


def test_a_known_statement_is_one_message_out_and_asks_for_one_answer(db: Database) -> None:
    with db.step() as connection:
        _echo(connection, 1)
        driver: Any = connection.connection.driver_connection
        driver._sock = tapped = Tapped(driver._sock)
        assert _echo(connection, 2) == 2
        driver._sock = tapped.wire
    sent, nothing = tapped.sent
    assert sent.startswith(BIND)
    assert sent.endswith(EXECUTE_MSG + SYNC_MSG)
    assert (FLUSH_MSG in sent, nothing) == (False, b"")


@pytest.mark.parametrize(
    "told", ["2026-11-28 15:26:32.61+00", "2026-11-28 15:26:32+00", "infinity", "20260-01-01+00"]
)
def test_moments_are_read_as_the_driver_itself_reads_them(db: Database, told: str) -> None:
    with db.step() as connection:
        query = text("SELECT CAST(CAST(:told AS text) AS timestamptz)")
        found = connection.execute(query, {"told": told}).scalar_one()
    native = timestamptz_in(told.replace("20260-01-01+00", "20260-01-01 00:00:00+00"))
    assert found == native


def test_values_come_back_as_what_they_were(db: Database) -> None:
    with db.step() as connection:
        row = connection.execute(
            text("SELECT CAST(:a AS uuid), CAST(:b AS bytea), CAST(:c AS jsonb), CAST(:d AS text)"),
            {"a": (key := uuid.uuid4()), "b": b"\x00\xff", "c": '{"x": [1, null]}', "d": None},
        ).one()
    assert tuple(row) == (key, b"\x00\xff", {"x": [1, None]}, None)


def test_a_transaction_that_raises_leaves_nothing_and_the_statement_usable(db: Database) -> None:
    uid = uuid.uuid4().hex
    with pytest.raises(ZeroDivisionError), db.transaction() as session:
        _fail_after(session, _INSERT, uid)
    with db.transaction() as session:
        session.execute(_INSERT, {"uid": uid})
    with pytest.raises(IntegrityError) as refused, db.transaction() as session:
        session.execute(_INSERT, {"uid": uid})
    assert violated(refused.value) == "uq_consumers_firebase_uid"
    with db.step() as connection:
        assert connection.scalar(_COUNT, {"uid": uid}) == 1


def test_a_step_commits_by_itself_and_its_connection_goes_back_to_transactions(
    db: Database,
) -> None:
    uid = uuid.uuid4().hex
    with pytest.raises(ZeroDivisionError), db.step() as connection:
        _fail_after(connection, _INSERT, uid)
    with pytest.raises(ZeroDivisionError), db.transaction() as session:
        _fail_after(session, _RENAME, uid)
    with db.step() as connection:
        assert connection.scalar(_COUNT, {"uid": uid}) == 1


def test_a_migration_under_a_running_process_costs_it_no_error(
    db: Database, database_url: str
) -> None:
    owner = create_engine(database_url, connect_args={"ssl_context": False})
    select = text("SELECT * FROM scratch WHERE a = :a")
    with owner.begin() as connection:
        connection.execute(text("CREATE TABLE scratch (a int)"))
        connection.execute(text("INSERT INTO scratch VALUES (1)"))
        connection.execute(text("GRANT SELECT ON scratch TO tarsify_app"))
    with db.step() as reader:
        assert tuple(reader.execute(select, {"a": 1}).one()) == (1,)
        with owner.begin() as connection:
            connection.execute(text("ALTER TABLE scratch ADD COLUMN b int DEFAULT 2"))
        assert tuple(reader.execute(select, {"a": 1}).one()) == (1, 2)
    owner.dispose()


def test_only_so_many_statements_are_remembered(db: Database) -> None:
    with db.step() as connection:
        for number in range(REMEMBERED_STATEMENTS + 5):
            connection.execute(text(f"SELECT CAST(:value AS int) + {number}"), {"value": 1})
        assert _prepared(connection, "SELECT") <= REMEMBERED_STATEMENTS
        assert _echo(connection, 7) == 7


def test_an_error_keeps_its_sqlstate_and_the_connection_its_use(db: Database) -> None:
    with db.step() as connection:
        for _ in range(2):
            with pytest.raises(DBAPIError) as failed:
                connection.execute(text("SELECT 1 / CAST(:value AS int)"), {"value": 0})
            assert sqlstate(failed.value) == "22012"
        assert _echo(connection, 5) == 5


_INSERT = text("INSERT INTO consumers (firebase_uid) VALUES (:uid)")
_RENAME = text("UPDATE consumers SET firebase_uid = 'another' WHERE firebase_uid = :uid")
_COUNT = text("SELECT count(*) FROM consumers WHERE firebase_uid = :uid")


def _fail_after(place: Connection | Session, statement: TextClause, uid: str) -> None:
    place.execute(statement, {"uid": uid})
    raise ZeroDivisionError


def _echo(connection: Connection, value: int) -> Any:
    return connection.scalar(text("SELECT CAST(:value AS int)"), {"value": value})


def _prepared(connection: Connection, word: str) -> int:
    found = connection.exec_driver_sql("SELECT statement FROM pg_prepared_statements").scalars()
    return sum(word in statement for statement in found)
