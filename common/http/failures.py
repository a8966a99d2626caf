"""What a caller hears when something of ours broke: that it passes, or only that it happened."""

from sqlalchemy import exc

from common.db import sqlstate
from common.errors import TarsifyError, Unavailable, Unexpected

# SQLSTATE classes and codes that another try may not meet: connections, rolled back (deadlock),
# out of resources, lock not available, an operator's or a time limit's cancel (PostgreSQL, A).
_PASSING = ("08", "40", "53", "55P03", "57")
_PASSING_ERRORS = (
    exc.OperationalError,
    exc.InterfaceError,
    exc.TimeoutError,
    ConnectionError,  # pg8000 lets it through when a connection is cut between two answers
    TimeoutError,
)


def failure_of(error: Exception) -> TarsifyError:
    """Unavailable if the database is away or overloaded, else Unexpected. Neither says why."""
    if isinstance(error, _PASSING_ERRORS):
        return Unavailable()
    if isinstance(error, exc.DBAPIError) and sqlstate(error).startswith(_PASSING):
        return Unavailable()
    return Unexpected()
