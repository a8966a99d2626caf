"""What survives a kill: queues, waiting tasks, and the names that may not be used again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS queues (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tasks (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spent (name TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
"""


class Journal:
    """A SQLite file, or memory when `path` is None.

    Every call is one transaction that has reached the operating system when it returns: enough
    against `kill -9`, which is what it is for; not against a power cut, which would cost an fsync.
    """

    def __init__(self, path: Path | None) -> None:
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def save_queue(self, name: str, body: bytes) -> None:
        """Write a queue's settings."""
        self._db.execute("REPLACE INTO queues VALUES (?, ?)", (name, body))

    def forget_queue(self, name: str) -> None:
        """Remove a queue's settings."""
        self._db.execute("DELETE FROM queues WHERE name = ?", (name,))

    def save_task(self, name: str, body: bytes) -> None:
        """Write a waiting task as it is now."""
        self._db.execute("REPLACE INTO tasks VALUES (?, ?)", (name, body))

    def forget_task(self, name: str, *, spent_until: float | None) -> None:
        """Remove a task; its name stays taken until then (Unix seconds)."""
        self._db.execute("BEGIN")
        self._db.execute("DELETE FROM tasks WHERE name = ?", (name,))
        if spent_until is not None:
            self._db.execute("REPLACE INTO spent VALUES (?, ?)", (name, spent_until))
        self._db.execute("COMMIT")

    def queues(self) -> list[bytes]:
        """Every queue that was saved."""
        return [body for (body,) in self._db.execute("SELECT body FROM queues")]

    def tasks(self) -> list[bytes]:
        """Every task that still waits."""
        return [body for (body,) in self._db.execute("SELECT body FROM tasks")]

    def spent(self, now: float) -> dict[str, float]:
        """Names still taken, with the time each comes free; the others are dropped."""
        self._db.execute("DELETE FROM spent WHERE until <= ?", (now,))
        return dict(self._db.execute("SELECT name, until FROM spent"))
