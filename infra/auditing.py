"""`infra/audit`: checks every invariant of the database at DATABASE_URL and prints each count.

Ends 0 if all hold, 1 if one is broken, 2 if the database cannot be read. It changes nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from common.executions.auditing import EXAMPLES, Invariant, invariants
from common.runtime import Runtime
from common.settings import ConfigurationError, read

BROKEN, UNREADABLE = 1, 2


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """The command line; answers the number to exit with."""
    parser = argparse.ArgumentParser(prog="infra/audit", description=__doc__)
    parser.add_argument("--database", help="SQLAlchemy URL; default: DATABASE_URL")
    options = parser.parse_args(arguments)
    given = dict(environment)
    if options.database:
        given["DATABASE_URL"] = options.database
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    if not given.get("DATABASE_URL") and not given.get("CLOUD_SQL_INSTANCE"):
        console.print("infra/audit: set DATABASE_URL or give --database: which books?")
        return UNREADABLE
    try:
        found = invariants(Runtime(read(given)))
    except (ConfigurationError, SQLAlchemyError) as error:
        console.print(f"infra/audit: the database cannot be read: {_reason(error)}", markup=False)
        return UNREADABLE
    return _show(console, found)


def _reason(error: Exception) -> str:
    cause: Any = getattr(error, "orig", None) or error
    return str(cause).splitlines()[0]


def _show(console: Console, found: list[Invariant]) -> int:
    table = Table("invariant", "promise", "broken")
    for each in found:
        table.add_row(each.code, each.promise, str(len(each.broken)))
    console.print(table)
    for each in found:
        for rule, what, difference in each.broken[:EXAMPLES]:
            console.print(f"  {rule}: {what} (by {difference})", markup=False)
    return BROKEN if any(each.broken for each in found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
