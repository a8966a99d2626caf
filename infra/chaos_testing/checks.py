"""What must be true when all is over: nothing lost, nothing twice, every micro-credit in place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pg8000.native import Connection

from infra.chaos_testing.clients import Click
from infra.chaos_testing.market import GRANT, Market
from infra.local.ports import HOST
from infra.local.postgres import PostgresServer

MICRO_CREDITS = 1_000_000
# An end may be written by the sweep that comes after the bound.
SWEEP_SECONDS = 120

# Each names a rule and lists what breaks it.
RULES = {
    "the ledger's invariants hold": "SELECT rule, what FROM ledger.violation",
    "the executions' invariants hold": "SELECT rule, what FROM execution_violation",
    "every execution has ended": "SELECT id, status FROM executions WHERE phase <> 'done'",
    "every execution is announced once, as it ended": (
        "SELECT e.id, count(a.id) FROM executions e LEFT JOIN announcements a"
        " ON a.execution_id = e.id AND a.status = e.status GROUP BY e.id HAVING count(a.id) <> 1"
    ),
    "no announcement without its execution's end": (
        "SELECT a.execution_id, a.status FROM announcements a JOIN executions e"
        " ON e.id = a.execution_id WHERE a.status <> e.status"
    ),
    "a run is captured once if it completed, else never": (
        "SELECT e.id, e.status, count(t.id) FROM executions e LEFT JOIN ledger.transfer t"
        " ON t.ref = e.id AND t.kind = 'capture_developer' GROUP BY e.id"
        " HAVING count(t.id) <> (e.status = 'COMPLETED')::int"
    ),
    "no execution outlived its bound": (
        "SELECT id, finished_at - expires_at FROM executions"
        f" WHERE finished_at > expires_at + interval '{SWEEP_SECONDS} s'"
    ),
    "no hold is open": "SELECT id, amount FROM ledger.hold WHERE state = 'held'",
}


class Books:
    """The database read as its owner, past the proxy."""

    def __init__(self, postgres: PostgresServer) -> None:
        self._port = postgres.port

    def rows(self, sql: str) -> list[Any]:
        """Raises pg8000's InterfaceError while the server is down."""
        connection = Connection(
            "postgres",
            host=HOST,
            port=self._port,
            database="tarsify",
            ssl_context=False,
            timeout=60,
        )
        try:
            return list(connection.run(sql) or [])
        finally:
            connection.close()

    def alive(self) -> int:
        """Executions that have not ended."""
        return int(self.rows("SELECT count(*) FROM executions WHERE phase <> 'done'")[0][0])

    def seconds_to_bound(self) -> float:
        """Until the last living execution must have ended."""
        bound = self.rows(
            "SELECT coalesce(extract(epoch FROM max(expires_at) - now()), 0)::float"
            " FROM executions WHERE phase <> 'done'"
        )
        return float(bound[0][0])


def broken_rules(books: Books, market: Market, clicks: Sequence[Click]) -> dict[str, list[str]]:
    """Every rule that does not hold, with what breaks it."""
    found = {rule: [str(row) for row in books.rows(sql)] for rule, sql in RULES.items()}
    executions = {
        str(row[0]): (str(row[1]), str(row[2]))
        for row in books.rows("SELECT id, consumer_id, status FROM executions")
    }
    found["what clients were told is what is kept"] = _told_and_kept(executions, clicks)
    found["a click is one run"] = _doubles(executions, clicks)
    found["money is conserved for each consumer"] = _money(books, market)
    return {rule: rows for rule, rows in found.items() if rows}


def _told_and_kept(executions: dict[str, tuple[str, str]], clicks: Sequence[Click]) -> list[str]:
    """Every acceptance and every end that a client saw is in the database."""
    wrong = []
    for click in clicks:
        for execution_id in click.accepted:
            consumer, status = executions.get(execution_id, ("", "missing"))
            if consumer != click.buyer.id or (click.status and status != click.status):
                wrong.append(f"{click.key}: {execution_id} is {status}, told {click.status}")
        if click.refusal:
            wrong.append(f"{click.key}: refused {click.refusal}")
        elif not click.status:
            wrong.append(f"{click.key}: its consumer saw no end")
    return wrong


def _doubles(executions: dict[str, tuple[str, str]], clicks: Sequence[Click]) -> list[str]:
    ids = [set(click.accepted) for click in clicks]
    wrong = [f"{click.key}: {click.accepted}" for click in clicks if len(set(click.accepted)) != 1]
    known = Counter(each for group in ids for each in group)
    wrong += [f"{each} belongs to {times} clicks" for each, times in known.items() if times > 1]
    return wrong + [f"{each} was never accepted" for each in executions if each not in known]


def _money(books: Books, market: Market) -> list[str]:
    """Granted credits are either still in the wallet or were paid for completed runs."""
    rows = books.rows(
        "SELECT b.owner_id, b.posted, b.pending, coalesce((SELECT sum(e.price) FROM executions e"
        " WHERE e.consumer_id = b.owner_id AND e.status = 'COMPLETED'), 0)::bigint"
        " FROM ledger.balance b WHERE b.kind = 'wallet'"
    )
    wrong = [
        f"{owner}: {posted} left, {pending} pending, {spent} spent"
        for owner, posted, pending, spent in rows
        if posted + spent != GRANT * MICRO_CREDITS or pending != 0
    ]
    wallets = {str(row[0]) for row in rows}
    return wrong + [f"{buyer.id}: no wallet" for buyer in market.buyers if buyer.id not in wallets]
