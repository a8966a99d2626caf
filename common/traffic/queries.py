"""All SQL of the traffic that is not in functions.sql: each step is one function call."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, text


class Taken(NamedTuple):
    """What was had of an allowance; times in seconds."""

    granted: int
    remaining: int
    wait_seconds: float
    full_seconds: float


class Begun(NamedTuple):
    """How a request with a key begins; status and answer of an earlier one if it is replayed."""

    outcome: str
    status: int | None
    answer: str | None


_TAKE = text("SELECT * FROM rate_take(:key, :interval, :burst, :cells, :now)")
_BEGIN = text("SELECT * FROM request_begin(:owner, :key, :hash, :now)")
_FINISH = text("SELECT request_finish(:owner, :key, :status, :answer)")
_ABANDON = text("SELECT request_abandon(:owner, :key)")
_FORGET = text("SELECT traffic_forget(:now)")


def take(
    connection: Connection,
    key: str,
    *,
    interval: timedelta,
    burst: int,
    cells: int,
    now: datetime,
) -> Taken:
    """Takes `cells` from a caller's allowance, or one, or none."""
    parameters = {"key": key, "interval": interval, "burst": burst, "cells": cells, "now": now}
    return Taken(*connection.execute(_TAKE, parameters).one())


def begin(
    connection: Connection, owner: str, key: str, *, request_hash: bytes, now: datetime
) -> Begun:
    """Begins a request that may be repeated."""
    parameters = {"owner": owner, "key": key, "hash": request_hash, "now": now}
    return Begun(*connection.execute(_BEGIN, parameters).one())


def finish(connection: Connection, owner: str, key: str, *, status: int, answer: str) -> None:
    """Remembers what was answered."""
    parameters = {"owner": owner, "key": key, "status": status, "answer": answer}
    connection.execute(_FINISH, parameters)


def abandon(connection: Connection, owner: str, key: str) -> None:
    """The request was refused; the key is free again."""
    connection.execute(_ABANDON, {"owner": owner, "key": key})


def forget(connection: Connection, now: datetime) -> None:
    """Drops keys older than a day and allowances that are whole."""
    connection.execute(_FORGET, {"now": now})
