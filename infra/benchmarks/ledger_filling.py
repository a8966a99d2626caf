"""A ledger of a wanted number of transfers, in no time and yet one that the invariants accept.

Wallets and grants go through the ledger's own functions. The bulk of captured holds is generated
with triggers and foreign keys off, as only a superuser may, and the balances are then summed up
from the postings; `ledger.violation` is the judge of the result.
"""

from __future__ import annotations

import time

from pg8000.native import Connection

from infra.benchmarks.ledger_cycles import DEVELOPER_STEM, DEVELOPERS, FEE, PRICE

WALLETS, GRANT = 1_000, 10**13
_FIRST, _LAST = DEVELOPERS
_OPEN = f"""
SELECT ledger.account_of('wallet', gen_random_uuid()) FROM generate_series(1, {WALLETS});
SELECT ledger.account_of('developer_payable', CAST('{DEVELOPER_STEM}' || n AS uuid))
  FROM generate_series({_FIRST}, {_LAST}) n;
SELECT ledger.account_of('platform_fee', NULL), ledger.account_of('promotion', NULL);
"""
_EMPTY = """
SET session_replication_role = replica;
TRUNCATE ledger.transfer, ledger.hold, ledger.delta;
UPDATE ledger.account_state SET posted = 0, pending = 0;
SET session_replication_role = origin;
"""
_GRANT = f"""
SELECT ledger.post('grant', gen_random_uuid(), CAST(0 AS smallint),
                   ledger.account_of('promotion', NULL), id, {GRANT}, now())
  FROM ledger.account WHERE kind = 'wallet'
"""
_HOLDS = f"""
INSERT INTO ledger.hold (id, account_id, amount, state, captured, expires_at, created_at,
                         resolved_at)
SELECT gen_random_uuid(), w.ids[1 + n % {WALLETS}], {PRICE}, 'captured', {PRICE},
       now() + interval '1 hour', now(), now()
  FROM (SELECT array_agg(id ORDER BY id) AS ids FROM ledger.account WHERE kind = 'wallet') w,
       generate_series(1, CAST(:cycles AS int)) n
"""
_SPLITS = f"""
INSERT INTO ledger.transfer (kind, ref, debit_id, credit_id, unit, amount, at)
SELECT leg.kind, h.id, h.account_id, leg.account, 'UCR', leg.amount, now()
  FROM ledger.hold h,
       (SELECT array_agg(id) AS ids FROM ledger.account WHERE kind = 'developer_payable') d,
       LATERAL (VALUES ('capture_developer',
                        d.ids[1 + abs(hashtext(CAST(h.id AS text)) % {_LAST - _FIRST + 1})],
                        CAST({PRICE - FEE} AS bigint)),
                       ('capture_platform', ledger.account_of('platform_fee', NULL),
                        CAST({FEE} AS bigint))) leg (kind, account, amount)
"""
_SUM_UP = """
UPDATE ledger.account_state s SET posted = sums.total
  FROM (SELECT id, CAST(sum(amount) AS bigint) AS total
          FROM (SELECT credit_id AS id, amount FROM ledger.transfer
                UNION ALL SELECT debit_id, -amount FROM ledger.transfer) sides
         GROUP BY id) sums
 WHERE sums.id = s.account_id
"""


def open_accounts(connection: Connection) -> None:
    """Wallets, developers and our own accounts; once in a database."""
    for statement in _OPEN.split(";")[:-1]:
        connection.run(statement)


def fill(connection: Connection, transfers: int) -> None:
    """Makes the ledger exactly that large, whatever it was: grants, and captures for the rest."""
    for statement in _EMPTY.split(";")[:-1]:
        connection.run(statement)
    connection.run(_GRANT)
    connection.run("SET session_replication_role = replica")
    connection.run(_HOLDS, cycles=(transfers - WALLETS) // 2)
    connection.run(_SPLITS)
    connection.run("TRUNCATE ledger.delta")
    connection.run(_SUM_UP)
    connection.run("SET session_replication_role = origin")
    connection.run(
        "VACUUM ANALYZE ledger.transfer, ledger.hold, ledger.account_state, ledger.delta"
    )


def wallets(connection: Connection) -> tuple[int, int]:
    """The first and the last account: they were opened one after the other."""
    first, last, many = connection.run(
        "SELECT min(id), max(id), count(*) FROM ledger.account WHERE kind = 'wallet'"
    )[0]
    assert last - first + 1 == many
    return first, last


def transfers(connection: Connection) -> int:
    """How many there are."""
    return int(connection.run("SELECT count(*) FROM ledger.transfer")[0][0])


def violations(connection: Connection) -> tuple[int, float]:
    """How many rows `ledger.violation` has, and the seconds that it takes to say so."""
    begun = time.perf_counter()
    count = connection.run("SELECT count(*) FROM ledger.violation")[0][0]
    return int(count), time.perf_counter() - begun
