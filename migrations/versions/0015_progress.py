"""How far a run has come, as its worker tells it; refused words in developers' test runs too."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE executions ADD COLUMN progress smallint")
    op.execute("ALTER TABLE moderation_findings ADD COLUMN tested boolean NOT NULL DEFAULT false")
