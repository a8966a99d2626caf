"""How far a run has come, in percent, as its worker tells it."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE executions ADD COLUMN progress smallint")
    op.execute("DROP FUNCTION IF EXISTS execution_alive(executions, attempts, text, timestamptz)")
