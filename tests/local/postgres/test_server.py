"""The local PostgreSQL: starts anywhere, survives being killed, touches no stranger's data."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from infra.local import unprivileged
from infra.local.postgres import PARTS, PostgresError, PostgresServer, packages


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("pg") / "data", durable=False).start()
    yield server
    server.stop("immediate")
    shutil.rmtree(server.home)


def ask(server: PostgresServer, database: str, sql: str) -> list[tuple[object, ...]]:
    engine = create_engine(server.url(database), connect_args={"ssl_context": False})
    try:
        with engine.begin() as connection:
            result = connection.execute(text(sql))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


def test_the_url_leads_to_postgresql_16_in_our_own_directory(server: PostgresServer) -> None:
    [(version,)] = ask(server, "postgres", "SHOW server_version")
    [(directory,)] = ask(server, "postgres", "SHOW data_directory")
    assert str(version).startswith("16.")
    assert Path(str(directory)).resolve() == server.cluster.resolve()


def test_letters_beyond_ascii_have_a_case(server: PostgresServer) -> None:
    assert ask(server, "postgres", "SELECT lower('ÄÉŽ')") == [("äéž",)]


def test_a_database_made_from_a_template_has_its_rows(server: PostgresServer) -> None:
    server.create_database("origin")
    ask(server, "origin", "CREATE TABLE t AS SELECT 7 AS n")
    server.create_database("copy", template="origin")
    assert ask(server, "copy", "SELECT n FROM t") == [(7,)]


def test_a_dropped_database_is_gone_even_while_in_use(server: PostgresServer) -> None:
    server.create_database("short-lived")
    engine = create_engine(server.url("short-lived"), connect_args={"ssl_context": False})
    connection = engine.connect()
    server.drop_database("short-lived")
    assert not server.has_database("short-lived")
    connection.invalidate()
    engine.dispose()


def test_starting_twice_adopts_the_running_server(server: PostgresServer) -> None:
    second = PostgresServer(server.home, durable=False).start()
    assert second.port == server.port


def test_committed_rows_survive_kill_9_and_a_stale_lock_file(server: PostgresServer) -> None:
    server.create_database("survivor")
    ask(server, "survivor", "CREATE TABLE t AS SELECT 1 AS n")
    server.kill()
    assert (server.cluster / "postmaster.pid").exists()
    server.start()
    assert ask(server, "survivor", "SELECT n FROM t") == [(1,)]


def test_a_lock_file_naming_another_living_process_does_not_prevent_a_start(
    server: PostgresServer,
) -> None:
    server.stop()
    lock = server.cluster / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{server.cluster}\n0\n{server.port}\n")
    server.start()
    assert ask(server, "postgres", "SELECT 1") == [(1,)]


def test_a_strangers_server_on_the_port_is_never_touched(
    server: PostgresServer, tmp_path: Path
) -> None:
    stranger = PostgresServer(tmp_path / "other", port=server.port, durable=False)
    with pytest.raises(PostgresError, match="did not start"):
        stranger.start()
    with pytest.raises(PostgresError, match="belongs to another"):
        stranger.create_database("intruder")
    assert not server.has_database("intruder")
    shutil.rmtree(stranger.home)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give up its rights")
def test_a_directory_closed_to_the_servers_account_is_replaced_by_one_it_can_reach(
    tmp_path: Path,
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    who = unprivileged.account()
    assert who is not None
    place = unprivileged.reachable_directory(closed / "data", who)
    assert not place.is_relative_to(closed)
    assert place.stat().st_uid == who.pw_uid
    assert closed.stat().st_mode & 0o777 == 0o700
    place.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give up its rights")
def test_programs_closed_to_the_servers_account_are_copied_to_where_they_run(
    tmp_path: Path,
) -> None:
    closed = tmp_path / "closed"
    for part in PARTS:
        shutil.copytree(packages() / part, closed / part)
    closed.chmod(0o700)
    who = unprivileged.account()
    copy = unprivileged.reachable_copy(closed, PARTS, who)
    try:
        done = unprivileged.run([str(copy / PARTS[0] / "bin" / "initdb"), "--version"], who)
        assert "16." in done.stdout
        assert unprivileged.reachable_copy(closed, PARTS, who) == copy
    finally:
        shutil.rmtree(copy)
