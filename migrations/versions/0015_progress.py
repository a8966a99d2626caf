"""How far a run has come, as its worker tells it; refused words in developers' test runs too."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE executions ADD COLUMN progress smallint")
    op.execute("ALTER TABLE moderation_findings ALTER COLUMN consumer_id DROP NOT NULL")
    op.execute("ALTER TABLE moderation_findings ADD COLUMN developer_id uuid")
    op.execute("DROP FUNCTION IF EXISTS execution_alive(executions, attempts, text, timestamptz)")
