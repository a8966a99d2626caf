"""${message}

The code of the release before this one runs on what this makes: add, then backfill in batches by a
script, then enforce in a later release. An index on a table in use has a migration to itself
(migrations/concurrently.py). tests/migrations says what else would block.
"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
