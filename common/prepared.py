"""One round trip a statement.

pg8000 parses, describes and executes a statement with parameters in three round trips, each time,
and reads its text letter by letter to renumber the parameters. Here each connection names a
statement the first time (one trip) and then only binds and executes it: a fifth of the CPU, a
third of the waiting, and PostgreSQL keeps the plan. Moments are read by Python's own parser of
ISO 8601, in a fiftieth of pg8000's 10 µs.
"""

from collections import OrderedDict
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from pg8000.converters import TIMESTAMPTZ, make_params, timestamptz_in
from pg8000.core import (
    BIND,
    EXECUTE_MSG,
    NULL_BYTE,
    SYNC_MSG,
    Context,
    CoreConnection,
    H_pack,
    _flush,
    _write,
    i_pack,
)
from pg8000.dbapi import Connection, Cursor, DatabaseError, IntegrityError, convert_paramstyle

REMEMBERED_STATEMENTS = 200
# The statement must be prepared again: its result has another shape since a migration, or the
# server does not know it.
_STALE = {"0A000", "26000"}


def speed_up(connection: Connection) -> None:
    """Makes a connection prepare what it is asked to execute."""
    statements = _Statements(connection)
    connection.execute_unnamed = statements.execute
    connection.cursor = partial(_Cursor, connection)
    connection.register_in_adapter(TIMESTAMPTZ, _moment)


def _moment(told: str) -> Any:
    """As pg8000 reads it, which knows more: infinity, and years that Python has not."""
    try:
        return datetime.fromisoformat(told)
    except ValueError:
        return timestamptz_in(told)


class _Cursor(Cursor):  # type: ignore[misc]
    """A cursor that renumbers the parameters of each statement text once.

    It is the same for both of pg8000's kinds of connection, of which only the one without a
    Cloud SQL connector tells a violated unique constraint from other errors.
    """

    def execute(self, operation: str, args: Any = (), stream: Any = None) -> None:
        try:
            self._execute(operation, args, stream)
        except DatabaseError as error:
            if _sqlstate(error) == "23505":
                raise IntegrityError(*error.args) from None
            raise

    def _execute(self, operation: str, args: Any, stream: Any) -> None:
        if not isinstance(args, (list, tuple)) or not args or stream or self._input_oids:
            super().execute(operation, args, stream)
            return
        connection = self._c
        if not connection.autocommit and not connection._in_transaction:
            connection.execute_simple("begin transaction")
        self._context = connection.execute_unnamed(_numbered(operation, len(args)), args)
        self._row_iter = None if self._context.rows is None else iter(self._context.rows)


class _Statements:
    """A connection's prepared statements by their text; the least recently used is dropped."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: OrderedDict[str, tuple[bytes, Any, Any]] = OrderedDict()

    def execute(self, statement: str, vals: Any = (), oids: Any = (), stream: Any = None) -> Any:
        """Stands in for pg8000's `execute_unnamed`; raises what that raises."""
        if stream is not None or oids:
            return CoreConnection.execute_unnamed(self._connection, statement, vals, oids, stream)
        if not vals:
            return self._connection.execute_simple(statement)
        try:
            return self._run(statement, vals)
        except DatabaseError as error:
            if _sqlstate(error) not in _STALE or self._known.pop(statement, None) is None:
                raise
            if self._connection._in_transaction:
                raise  # the transaction is lost; the next one prepares anew
            return self._run(statement, vals)

    def _run(self, statement: str, vals: Any) -> Any:
        name, columns, functions = self._prepared(statement)
        params = make_params(self._connection.py_types, vals)
        return self._execute(name, params, Context(statement, None, columns, functions))

    def _execute(self, name: bytes, params: Any, context: Any) -> Any:
        """pg8000's `execute_named` without its flushes: they make the server send, and us wait
        for, an answer to each of the three messages instead of one to all."""
        connection = self._connection
        connection._send_message(BIND, _bound(name, params, connection._client_encoding))
        _write(connection._sock, EXECUTE_MSG + SYNC_MSG)
        _flush(connection._sock)
        connection.handle_messages(context)
        return context

    def _prepared(self, statement: str) -> tuple[bytes, Any, Any]:
        found = self._known.get(statement)
        if found is None:
            found = self._connection.prepare_statement(statement, ())
            self._known[statement] = found
            if len(self._known) > REMEMBERED_STATEMENTS:
                _, (oldest, _, _) = self._known.popitem(last=False)
                self._connection.close_prepared_statement(oldest)
        else:
            self._known.move_to_end(statement)
        return found


def _bound(name: bytes, params: Any, encoding: str) -> bytes:
    """A Bind message: the unnamed portal, the statement, parameters and results as text."""
    parts = [NULL_BYTE, name, H_pack(0), H_pack(len(params))]
    for value in params:
        if value is None:
            parts.append(i_pack(-1))
        else:
            encoded = value.encode(encoding)
            parts += (i_pack(len(encoded)), encoded)
    parts.append(H_pack(0))
    return b"".join(parts)


@lru_cache(1000)
def _numbered(operation: str, count: int) -> str:
    """SQLAlchemy's %s parameters as PostgreSQL's $1, $2 ..."""
    statement, _ = convert_paramstyle("format", operation, (None,) * count)
    return str(statement)


def _sqlstate(error: DatabaseError) -> str:
    fields = error.args[0] if error.args else None
    return str(fields.get("C", "")) if isinstance(fields, dict) else ""
