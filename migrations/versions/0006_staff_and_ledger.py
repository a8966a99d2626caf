"""What staff did, for good; and the ledger's accounts for real money, debts and freezes."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STAFF = """
-- Who did what to what, when, why, and what it was before and after. One row per deed: a repeated
-- reference is the same deed.
CREATE TABLE staff_actions (
  id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_staff_actions PRIMARY KEY,
  at timestamptz NOT NULL,
  actor text NOT NULL,
  action text NOT NULL,
  subject uuid NOT NULL,
  reason text,
  reference uuid CONSTRAINT uq_staff_actions_reference UNIQUE,
  request jsonb NOT NULL DEFAULT '{}',
  before jsonb,
  after jsonb
);
CREATE INDEX ix_staff_actions_subject ON staff_actions (subject, id);

CREATE FUNCTION staff_actions_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what staff did is never changed' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER staff_actions_are_kept BEFORE UPDATE OR DELETE ON staff_actions
  FOR EACH ROW EXECUTE FUNCTION staff_actions_are_kept();
CREATE TRIGGER staff_actions_are_not_truncated BEFORE TRUNCATE ON staff_actions
  FOR EACH STATEMENT EXECUTE FUNCTION staff_actions_are_kept();
GRANT SELECT ON staff_actions TO tarsify_app;
"""

# Real money is a unit of its own: millionths of a US dollar. Who owes us (a receivable) and what
# the platform holds at Stripe (stripe_clearing) are assets, so their balances are below zero.
ACCOUNTS = """
ALTER TABLE ledger.account
  DROP CONSTRAINT account_kind_check,
  DROP CONSTRAINT people_own_their_accounts,
  ADD CONSTRAINT account_kind_check CHECK (kind IN (
    'wallet', 'developer_payable', 'platform_fee', 'promotion', 'adjustment',
    'issuance', 'receivable', 'redemption',
    'stripe_clearing', 'deferred_revenue', 'stripe_fee', 'dispute_fee', 'treasury')),
  ADD CONSTRAINT people_own_their_accounts CHECK (
    (kind IN ('wallet', 'developer_payable', 'receivable')) = (owner_id IS NOT NULL)),
  ADD CONSTRAINT a_kind_has_one_unit CHECK ((unit = 'UUSD') = (kind IN (
    'stripe_clearing', 'deferred_revenue', 'stripe_fee', 'dispute_fee', 'treasury')));

ALTER TABLE ledger.transfer
  DROP CONSTRAINT transfer_kind_check,
  ADD CONSTRAINT transfer_kind_check CHECK (kind IN (
    'grant', 'adjustment', 'debt_settled', 'capture_developer', 'capture_platform',
    'run_refund_developer', 'run_refund_platform',
    'purchase', 'purchase_refund', 'refund_failed', 'refund_made', 'dispute', 'dispute_won',
    'payout', 'payout_returned', 'treasury'));

-- Why a wallet is frozen: each cause is lifted for itself, and the wallet thaws with the last.
CREATE TABLE ledger.wallet_freeze (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  consumer_id uuid NOT NULL,
  cause text NOT NULL CHECK (cause IN ('staff', 'dispute')),
  ref uuid NOT NULL,
  reason text NOT NULL,
  frozen_at timestamptz NOT NULL,
  lifted_at timestamptz,
  UNIQUE (cause, ref)
);
CREATE INDEX wallet_freeze_active ON ledger.wallet_freeze (consumer_id) WHERE lifted_at IS NULL;
GRANT SELECT ON ledger.wallet_freeze TO tarsify_app;

DROP FUNCTION IF EXISTS ledger.grant_credits(uuid, uuid, bigint, timestamptz);
"""


def upgrade() -> None:
    op.execute(STAFF)
    op.execute(ACCOUNTS)
