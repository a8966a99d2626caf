"""Payout accounts that end and are followed by others; what a payout's order said."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Payouts keep the account that they were sent to; a developer has one that is open.
ACCOUNTS = """
ALTER TABLE payout_accounts
  ADD COLUMN closed_at timestamptz,
  DROP CONSTRAINT pk_payout_accounts,
  DROP CONSTRAINT uq_payout_accounts_account_id,
  ADD CONSTRAINT pk_payout_accounts PRIMARY KEY (account_id),
  ADD CONSTRAINT ck_payout_accounts_closed_means_not_paid
    CHECK (closed_at IS NULL OR NOT payouts_enabled);
CREATE UNIQUE INDEX uq_payout_accounts_open ON payout_accounts (developer_id)
  WHERE closed_at IS NULL;
CREATE INDEX ix_payout_accounts_developer_id ON payout_accounts (developer_id);
DROP FUNCTION IF EXISTS payout_account_observe(uuid, text, boolean, boolean, jsonb, timestamptz);
"""

# As it was asked for, NULL for all that is due: a repeated key must say the same.
PAYOUTS = "ALTER TABLE payouts ADD COLUMN asked_cents bigint"

# Terms are changed by earning_terms_set alone, as all that payouts are reckoned from.
TERMS = "REVOKE UPDATE ON earning_terms FROM tarsify_app"

# Bills are compared by the day: the next day's comparison must not settle this one's.
DIFFERENCES = """
ALTER TABLE reconciliation_differences ADD COLUMN day date;
DROP FUNCTION IF EXISTS difference_found(text, text, bigint, bigint, timestamptz);
DROP FUNCTION IF EXISTS differences_clear(text, timestamptz, timestamptz);
"""

RECONCILING = """
ALTER TABLE stripe_transactions ADD COLUMN currency text NOT NULL DEFAULT 'usd';
ALTER TABLE stripe_transactions ALTER COLUMN currency DROP DEFAULT;
CREATE TABLE reconciliations (
  began_at timestamptz CONSTRAINT pk_reconciliations PRIMARY KEY,
  payments int NOT NULL,
  transactions int NOT NULL
);
GRANT SELECT ON reconciliations TO tarsify_app;
"""


def upgrade() -> None:
    op.execute(ACCOUNTS)
    op.execute(PAYOUTS)
    op.execute(TERMS)
    op.execute(DIFFERENCES)
    op.execute(RECONCILING)
