"""Every object there is, by account, kind and id; with a file they outlive the process."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

JSON = dict[str, Any]
Key = tuple[str, str, str]

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    place INTEGER PRIMARY KEY, owner TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
    body TEXT NOT NULL, UNIQUE (owner, kind, id)
)
"""


class Store:
    """Objects as dictionaries with `object` (their kind) and `id`; `owner` is an account's id.

    A kind that begins with an underscore is the stand-in's own record and has no place in the API.
    What `add` and `find` hand out may be changed in place: `flush` writes it, all in one
    transaction, so that a request's effects survive a kill together or not at all. (Without
    fsync: it is meant for a killed process, not for a power cut.)
    """

    def __init__(self, path: Path | None = None) -> None:
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._lasting = path is not None
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(SCHEMA)
        self._tables: dict[tuple[str, str], dict[str, JSON]] = {}
        self._touched: set[Key] = set()
        rows = self._db.execute("SELECT owner, kind, id, body FROM objects ORDER BY place")
        for owner, kind, name, body in rows:
            self._tables.setdefault((owner, kind), {})[name] = json.loads(body)

    def close(self) -> None:
        """Write what is left and close the file."""
        self.flush()
        self._db.close()

    def add(self, body: JSON, *, owner: str) -> JSON:
        """Keep a new object."""
        kind, name = body["object"], body["id"]
        self._tables.setdefault((owner, kind), {})[name] = body
        self._touched.add((owner, kind, name))
        return body

    def find(self, kind: str, name: str, *, owner: str) -> JSON | None:
        """The object, to read or to change."""
        body = self._tables.get((owner, kind), {}).get(name)
        if body is not None:
            self._touched.add((owner, kind, name))
        return body

    def search(self, name: str, *, owner: str) -> JSON | None:
        """An object of the API by its id alone, to read."""
        for (whose, kind), table in self._tables.items():
            if whose == owner and not kind.startswith("_") and name in table:
                return table[name]
        return None

    def every(self, kind: str, *, owner: str) -> list[JSON]:
        """All of a kind, oldest first, to read."""
        return list(self._tables.get((owner, kind), {}).values())

    def owners(self, kind: str) -> list[str]:
        """The accounts that have objects of this kind."""
        return [owner for (owner, each), table in self._tables.items() if each == kind and table]

    def remove(self, kind: str, name: str, *, owner: str) -> None:
        """Forget an object."""
        self._tables.get((owner, kind), {}).pop(name, None)
        self._touched.add((owner, kind, name))

    def clear(self) -> None:
        """Forget everything."""
        self._tables.clear()
        self._touched.clear()
        self._db.execute("DELETE FROM objects")

    def flush(self) -> None:
        """Write what has changed since the last time."""
        touched, self._touched = self._touched, set()
        if not self._lasting or not touched:
            return
        self._db.execute("BEGIN")
        for owner, kind, name in touched:
            self._write(owner, kind, name)
        self._db.execute("COMMIT")

    def _write(self, owner: str, kind: str, name: str) -> None:
        body = self._tables.get((owner, kind), {}).get(name)
        key = (owner, kind, name)
        if body is None:
            self._db.execute("DELETE FROM objects WHERE owner = ? AND kind = ? AND id = ?", key)
            return
        self._db.execute(
            "INSERT INTO objects (owner, kind, id, body) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (owner, kind, id) DO UPDATE SET body = excluded.body",
            (*key, json.dumps(body)),
        )
