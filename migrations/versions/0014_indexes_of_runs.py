"""Indexes for what a consumer has going, and for how long an endpoint's last runs took."""

from alembic import op

from migrations.concurrently import create_index

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index(
        op,
        "executions_going",
        "executions (consumer_id) WHERE phase IN ('submitting', 'watching')",
    )
    create_index(
        op,
        "executions_throttled",
        "executions (consumer_id, created_at, id) WHERE throttled",
    )
    create_index(
        op,
        "executions_measured",
        "executions (endpoint_id, finished_at DESC) WHERE status = 'COMPLETED'",
    )
