"""What released code relies on in the database, and whether another database still offers it.

The code of the release before goes on answering while, and after, the schema changes. It reads the
columns that it knew, calls the functions that it knew by their arguments, and inserts rows without
what came later. A newer schema may have more of everything, and must not have less.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

ROLE = "tarsify_app"
OURS = "n.nspname IN ('public', 'ledger')"
# What the application may do to each column, and whether an insert may leave it out.
COLUMNS = f"""
SELECT format('%s.%s.%s', n.nspname, c.relname, a.attname) AS name,
       format_type(a.atttypid, a.atttypmod) AS type,
       array(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS p
              WHERE has_column_privilege('{ROLE}', c.oid, a.attnum, p)) AS rights,
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND c.relkind = 'r' AS required
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE {OURS} AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
   AND has_any_column_privilege('{ROLE}', c.oid, 'SELECT')
"""
# By name and arguments: the old and the new form of a function may stand side by side.
FUNCTIONS = f"""
SELECT format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) AS name,
       p.pronargdefaults AS defaults, pg_get_function_result(p.oid) AS result
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE {OURS} AND p.prorettype <> 'trigger'::regtype
   AND has_function_privilege('{ROLE}', p.oid, 'EXECUTE')
"""

Surface = dict[str, dict[str, dict[str, Any]]]


def surface_of(connection: Connection) -> Surface:
    """The columns and functions that the application's role may use."""
    return {
        kind: {
            str(row["name"]): {key: row[key] for key in row if key != "name"}
            for row in connection.execute(text(query)).mappings()
        }
        for kind, query in (("columns", COLUMNS), ("functions", FUNCTIONS))
    }


def definition(connection: Connection) -> list[tuple[str, ...]]:
    """Every column, constraint, index, trigger, view and function, as PostgreSQL writes them."""
    statement = """
    SELECT 'column', attrelid::regclass::text, attname::text,
           format_type(atttypid, atttypmod) || attnotnull::text
      FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
     WHERE attnum > 0 AND c.relnamespace IN ('public'::regnamespace, 'ledger'::regnamespace)
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname::text,
           pg_get_constraintdef(oid)
      FROM pg_constraint WHERE connamespace IN ('public'::regnamespace, 'ledger'::regnamespace)
    UNION ALL SELECT 'index', schemaname::text, indexname::text, indexdef
      FROM pg_indexes WHERE schemaname IN ('public', 'ledger')
    UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname::text, pg_get_triggerdef(oid)
      FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'view', schemaname::text, viewname::text, definition
      FROM pg_views WHERE schemaname IN ('public', 'ledger')
    UNION ALL SELECT 'function', pronamespace::regnamespace::text, proname::text,
           pg_get_functiondef(oid) || coalesce(proacl::text, '')
      FROM pg_proc WHERE pronamespace IN ('public'::regnamespace, 'ledger'::regnamespace)
    ORDER BY 1, 2, 3, 4
    """
    return [tuple(row) for row in connection.execute(text(statement))]


def digest(connection: Connection) -> str:
    """The same for the same definition; in hexadecimal."""
    return hashlib.sha256(repr(definition(connection)).encode()).hexdigest()


def broken_promises(released: Surface, now: Surface) -> list[str]:
    """What code of the released surface would miss in the other one, a line each."""
    columns, functions = released["columns"], released["functions"]
    lost = {name: _lost_column(it, now["columns"].get(name)) for name, it in columns.items()}
    lost |= {name: _lost_function(name, it, now["functions"]) for name, it in functions.items()}
    inserted = {_table(name) for name, it in columns.items() if "INSERT" in it["rights"]}
    for name, it in now["columns"].items():
        if it["required"] and name not in columns and _table(name) in inserted:
            lost[name] = "is required, and released code inserts without it"
    return [f"{name}: {complaint}" for name, complaint in lost.items() if complaint]


def _table(column: str) -> str:
    return column.rpartition(".")[0]


def _lost_column(before: Mapping[str, Any], after: Mapping[str, Any] | None) -> str:
    if after is None:
        return "is gone"
    if after["type"] != before["type"]:
        return f"was {before['type']} and is {after['type']}"
    missing = sorted(set(before["rights"]) - set(after["rights"]))
    if missing:
        return f"the application may no longer {', '.join(missing)}"
    if after["required"] and not before["required"] and "INSERT" in before["rights"]:
        return "may no longer be left out"
    return ""


def _lost_function(
    name: str, before: Mapping[str, Any], functions: Mapping[str, Mapping[str, Any]]
) -> str:
    """Empty when one function of that name still takes what is given and answers as before."""
    left = {it: functions[it] for it in functions if it.partition("(")[0] == name.partition("(")[0]}
    taking = [now for it, now in left.items() if _takes(it, now, name, before)]
    if not left:
        return "is gone, or the application may no longer call it"
    if not taking:
        return f"now is {', '.join(sorted(left))}"
    if not any(_returns_as_before(before["result"], it["result"]) for it in taking):
        return f"answered {before['result']} and answers {taking[0]['result']}"
    return ""


def _takes(name: str, now: Mapping[str, Any], known: str, before: Mapping[str, Any]) -> bool:
    """Whether a call of what was known is a call of this one: more arguments need defaults."""
    (given, answers), (gave, answered) = _arguments(name), _arguments(known)
    needed = len(given) - now["defaults"]
    return (
        given[: len(gave)] == gave
        and answers[: len(answered)] == answered
        and len(gave) - before["defaults"] >= needed
    )


def _returns_as_before(before: str, after: str) -> bool:
    """The same, or a table with more columns after those that were there."""
    return after == before or (
        before.startswith("TABLE(") and after.startswith(before.removesuffix(")") + ",")
    )


def _arguments(name: str) -> tuple[list[str], list[str]]:
    """What a function takes, and what it answers through OUT arguments."""
    inside = name.partition("(")[2].removesuffix(")")
    parts = [part.strip() for part in inside.split(",") if part.strip()]
    outs = [part for part in parts if part.startswith("OUT ")]
    return [part for part in parts if part not in outs], outs
