"""The people of every project, in a SQLite file (or memory)."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import sqlite3
import string
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    project TEXT NOT NULL, uid TEXT NOT NULL, email TEXT, body TEXT NOT NULL,
    PRIMARY KEY (project, uid)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS one_address ON accounts (project, email);
"""
ALPHABET = string.ascii_letters + string.digits


@dataclass(kw_only=True)
class Account:
    """One person in one project; times in milliseconds since 1970, as the REST API has them."""

    project: str
    uid: str
    email: str | None = None
    email_verified: bool = False
    name: str = ""
    picture: str = ""
    disabled: bool = False
    claims: dict[str, Any] = field(default_factory=dict)
    providers: dict[str, str] = field(default_factory=dict)
    salt: str = ""
    password: str = ""
    created: int = 0
    last_login: int = 0
    valid_since: int = 0

    def set_password(self, password: str) -> None:
        """Keep a password's hash."""
        self.salt = secrets.token_hex(8)
        self.password = _hash(password, self.salt)
        self.providers["password"] = self.email or ""

    def has_password(self, password: str) -> bool:
        """Whether this is the password."""
        given = _hash(password, self.salt)
        return bool(self.password) and hmac.compare_digest(self.password, given)


class Accounts:
    """The store: written through, so that a kill loses nobody."""

    def __init__(self, path: Path | None) -> None:
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def new(self, project: str, uid: str | None = None) -> Account:
        """An account to fill in and save."""
        fresh = "".join(secrets.choice(ALPHABET) for _ in range(28))
        return Account(project=project, uid=uid or fresh, created=now_ms(), valid_since=_now())

    def save(self, account: Account) -> None:
        """Write an account as it is."""
        self._db.execute(
            "REPLACE INTO accounts VALUES (?, ?, ?, ?)",
            (account.project, account.uid, account.email, json.dumps(asdict(account))),
        )

    def delete(self, account: Account) -> None:
        """Remove an account."""
        self._db.execute(
            "DELETE FROM accounts WHERE project = ? AND uid = ?", (account.project, account.uid)
        )

    def clear(self, project: str) -> None:
        """Remove everybody of a project."""
        self._db.execute("DELETE FROM accounts WHERE project = ?", (project,))

    def by_uid(self, project: str, uid: str) -> Account | None:
        """The account of that id."""
        return next(self._select("project = ? AND uid = ?", (project, uid)), None)

    def by_email(self, project: str, email: str) -> Account | None:
        """The account of that address, whatever its case."""
        return next(self._select("project = ? AND email = ?", (project, email.lower())), None)

    def of_project(self, project: str) -> list[Account]:
        """Everybody of a project."""
        return list(self._select("project = ?", (project,)))

    def _select(self, condition: str, values: tuple[str, ...]) -> Iterator[Account]:
        rows = self._db.execute(f"SELECT body FROM accounts WHERE {condition}", values)
        return (Account(**json.loads(body)) for (body,) in rows.fetchall())


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _now() -> int:
    return int(time.time())


def _hash(password: str, salt: str) -> str:
    return hashlib.scrypt(password.encode(), salt=salt.encode(), n=1024, r=8, p=1).hex()
