"""Buying credits, earnings and payouts: our own rows for everything that happens at Stripe."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

PURCHASES = """
-- What the shop window shows. One credit costs one cent, so a package is only a price.
CREATE TABLE credit_packages (
  price_cents int CONSTRAINT pk_credit_packages PRIMARY KEY
    CONSTRAINT ck_credit_packages_price_cents CHECK (price_cents BETWEEN 1 AND 100000000),
  popular boolean NOT NULL DEFAULT false
);
CREATE TABLE purchase_terms (
  id boolean CONSTRAINT pk_purchase_terms PRIMARY KEY DEFAULT true
    CONSTRAINT ck_purchase_terms_id CHECK (id),
  least_cents int NOT NULL CONSTRAINT ck_purchase_terms_least_cents CHECK (least_cents > 0),
  most_cents int NOT NULL,
  CONSTRAINT ck_purchase_terms_most_cents CHECK (most_cents >= least_cents)
);
INSERT INTO credit_packages VALUES
  (500, false), (1000, true), (2500, false), (5000, false), (10000, false);
INSERT INTO purchase_terms VALUES (true, 500, 50000);

CREATE TABLE purchases (
  id uuid CONSTRAINT pk_purchases PRIMARY KEY,
  consumer_id uuid NOT NULL CONSTRAINT fk_purchases_consumer_id_consumers REFERENCES consumers (id),
  amount_cents int NOT NULL CONSTRAINT ck_purchases_amount_cents CHECK (amount_cents > 0),
  currency text NOT NULL DEFAULT 'usd' CONSTRAINT ck_purchases_currency CHECK (currency = 'usd'),
  status text NOT NULL DEFAULT 'pending'
    CONSTRAINT ck_purchases_status CHECK (status IN ('pending', 'paid', 'expired')),
  idempotency_key text,
  session_id text CONSTRAINT uq_purchases_session_id UNIQUE,
  checkout_url text,
  payment_intent_id text CONSTRAINT uq_purchases_payment_intent_id UNIQUE,
  charge_id text CONSTRAINT uq_purchases_charge_id UNIQUE,
  fee_cents int,
  receipt_url text,
  created_at timestamptz NOT NULL,
  paid_at timestamptz,
  next_check_at timestamptz,
  CONSTRAINT uq_purchases_consumer_id_idempotency_key UNIQUE (consumer_id, idempotency_key),
  CONSTRAINT ck_purchases_paid_means_when CHECK ((status = 'paid') = (paid_at IS NOT NULL)),
  CONSTRAINT ck_purchases_pending_means_looked_at
    CHECK (status <> 'pending' OR next_check_at IS NOT NULL)
);
CREATE INDEX ix_purchases_of_consumer ON purchases (consumer_id, created_at DESC, id DESC);
CREATE INDEX ix_purchases_due ON purchases (next_check_at, id) WHERE next_check_at IS NOT NULL;

CREATE TABLE purchase_refunds (
  id uuid CONSTRAINT pk_purchase_refunds PRIMARY KEY,
  purchase_id uuid NOT NULL CONSTRAINT fk_purchase_refunds_purchase_id_purchases
    REFERENCES purchases (id),
  refund_id text CONSTRAINT uq_purchase_refunds_refund_id UNIQUE,
  amount_cents int NOT NULL CONSTRAINT ck_purchase_refunds_amount_cents CHECK (amount_cents > 0),
  status text NOT NULL CONSTRAINT ck_purchase_refunds_status
    CHECK (status IN ('requested', 'succeeded', 'failed')),
  reason text NOT NULL,
  requested_at timestamptz NOT NULL,
  tried_at timestamptz,
  next_try_at timestamptz,
  settled_at timestamptz,
  CONSTRAINT ck_purchase_refunds_requested_means_tried
    CHECK ((status = 'requested') = (next_try_at IS NOT NULL))
);
CREATE INDEX ix_purchase_refunds_purchase_id ON purchase_refunds (purchase_id);
CREATE INDEX ix_purchase_refunds_due ON purchase_refunds (next_try_at, id)
  WHERE next_try_at IS NOT NULL;

CREATE TABLE disputes (
  id uuid CONSTRAINT pk_disputes PRIMARY KEY,
  dispute_id text NOT NULL CONSTRAINT uq_disputes_dispute_id UNIQUE,
  purchase_id uuid NOT NULL CONSTRAINT fk_disputes_purchase_id_purchases REFERENCES purchases (id),
  amount_cents int NOT NULL CONSTRAINT ck_disputes_amount_cents CHECK (amount_cents > 0),
  fee_cents int NOT NULL DEFAULT 0,
  fee_returned_cents int NOT NULL DEFAULT 0,
  reason text NOT NULL,
  status text NOT NULL CONSTRAINT ck_disputes_status
    CHECK (status IN ('open', 'withdrawn', 'won', 'lost')),
  opened_at timestamptz NOT NULL,
  closed_at timestamptz
);
CREATE INDEX ix_disputes_purchase_id ON disputes (purchase_id);
"""

PAYOUTS = """
-- One row per captured run, with the split that was frozen when it started. Micro-credits.
CREATE TABLE earnings (
  execution_id uuid CONSTRAINT pk_earnings PRIMARY KEY,
  developer_id uuid NOT NULL CONSTRAINT fk_earnings_developer_id_developers
    REFERENCES developers (id),
  tars_model_id uuid NOT NULL CONSTRAINT fk_earnings_tars_model_id_tars_models
    REFERENCES tars_models (id),
  gross bigint NOT NULL CONSTRAINT ck_earnings_gross CHECK (gross > 0),
  fee bigint NOT NULL CONSTRAINT ck_earnings_fee CHECK (fee BETWEEN 0 AND gross),
  net bigint GENERATED ALWAYS AS (gross - fee) STORED,
  earned_at timestamptz NOT NULL,
  available_at timestamptz NOT NULL,
  reversed_at timestamptz
);
CREATE INDEX ix_earnings_of_developer ON earnings (developer_id, earned_at DESC, execution_id);
CREATE INDEX ix_earnings_clearing ON earnings (developer_id, available_at) INCLUDE (net)
  WHERE reversed_at IS NULL;
CREATE TABLE earning_terms (
  id boolean CONSTRAINT pk_earning_terms PRIMARY KEY DEFAULT true
    CONSTRAINT ck_earning_terms_id CHECK (id),
  clearing_seconds int NOT NULL
    CONSTRAINT ck_earning_terms_clearing_seconds CHECK (clearing_seconds >= 0),
  least_payout_cents int NOT NULL
    CONSTRAINT ck_earning_terms_least_payout_cents CHECK (least_payout_cents > 0)
);
INSERT INTO earning_terms VALUES (true, 7 * 86400, 5000);
-- Runs that were charged before there were earnings.
INSERT INTO earnings
  (execution_id, developer_id, tars_model_id, gross, fee, earned_at, available_at)
SELECT id, developer_id, tars_model_id, price, fee, finished_at, finished_at + interval '7 days'
  FROM executions WHERE kind = 'RUN' AND status = 'COMPLETED';

CREATE TABLE payout_accounts (
  developer_id uuid CONSTRAINT pk_payout_accounts PRIMARY KEY
    CONSTRAINT fk_payout_accounts_developer_id_developers REFERENCES developers (id),
  account_id text NOT NULL CONSTRAINT uq_payout_accounts_account_id UNIQUE,
  details_submitted boolean NOT NULL DEFAULT false,
  payouts_enabled boolean NOT NULL DEFAULT false,
  updated_at timestamptz NOT NULL
);

CREATE TABLE payouts (
  id uuid CONSTRAINT pk_payouts PRIMARY KEY,
  developer_id uuid NOT NULL CONSTRAINT fk_payouts_developer_id_developers
    REFERENCES developers (id),
  account_id text NOT NULL,
  amount_cents bigint NOT NULL CONSTRAINT ck_payouts_amount_cents CHECK (amount_cents > 0),
  status text NOT NULL DEFAULT 'pending'
    CONSTRAINT ck_payouts_status CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
  idempotency_key text,
  transfer_id text CONSTRAINT uq_payouts_transfer_id UNIQUE,
  returned_cents bigint NOT NULL DEFAULT 0,
  failure_code text,
  failure_message text,
  requested_at timestamptz NOT NULL,
  tried_at timestamptz,
  tries int NOT NULL DEFAULT 0,
  next_try_at timestamptz,
  processed_at timestamptz,
  CONSTRAINT uq_payouts_developer_id_idempotency_key UNIQUE (developer_id, idempotency_key),
  CONSTRAINT ck_payouts_returned_cents CHECK (returned_cents BETWEEN 0 AND amount_cents),
  CONSTRAINT ck_payouts_alive_means_tried
    CHECK ((status IN ('pending', 'processing')) = (next_try_at IS NOT NULL)),
  CONSTRAINT ck_payouts_completed_means_sent
    CHECK (status <> 'completed' OR transfer_id IS NOT NULL)
);
CREATE INDEX ix_payouts_of_developer ON payouts (developer_id, requested_at DESC, id DESC);
CREATE INDEX ix_payouts_due ON payouts (next_try_at, id) WHERE next_try_at IS NOT NULL;
"""

STRIPE = """
-- Every event that was acted upon, in the transaction of its effect: a repeat has none.
CREATE TABLE stripe_events (
  id text CONSTRAINT pk_stripe_events PRIMARY KEY,
  type text NOT NULL,
  account_id text,
  subject text NOT NULL,
  effect text NOT NULL,
  received_at timestamptz NOT NULL
);

-- What Stripe's own books say, kept by the reconciliation. Amounts in cents.
CREATE TABLE stripe_transactions (
  id text CONSTRAINT pk_stripe_transactions PRIMARY KEY,
  type text NOT NULL,
  source text NOT NULL,
  net_cents bigint NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE INDEX ix_stripe_transactions_source ON stripe_transactions (source);
CREATE TABLE stripe_payments (
  id text CONSTRAINT pk_stripe_payments PRIMARY KEY,
  amount_cents bigint NOT NULL,
  created_at timestamptz NOT NULL
);

-- What differs between two books. Found again: seen_at moves; gone: cleared_at is set.
CREATE TABLE reconciliation_differences (
  id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_reconciliation_differences PRIMARY KEY,
  kind text NOT NULL,
  what text NOT NULL,
  ours bigint,
  theirs bigint,
  found_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL,
  cleared_at timestamptz
);
CREATE UNIQUE INDEX uq_reconciliation_differences_open ON reconciliation_differences (kind, what)
  WHERE cleared_at IS NULL;

GRANT SELECT ON purchases, purchase_refunds, disputes, earnings, payout_accounts, payouts,
  stripe_events, stripe_transactions, stripe_payments, reconciliation_differences TO tarsify_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON credit_packages TO tarsify_app;
GRANT SELECT, UPDATE ON purchase_terms, earning_terms TO tarsify_app;
"""

# A purchase that was paid stays paid; what comes after has rows of its own.
GUARDS = """
CREATE FUNCTION purchase_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.status = 'paid' AND NEW.status <> 'paid' THEN
    RAISE EXCEPTION 'purchase % was paid', OLD.id USING ERRCODE = 'restrict_violation';
  END IF;
  IF (NEW.id, NEW.consumer_id, NEW.amount_cents, NEW.currency, NEW.created_at)
     IS DISTINCT FROM (OLD.id, OLD.consumer_id, OLD.amount_cents, OLD.currency, OLD.created_at)
  THEN
    RAISE EXCEPTION 'the order of purchase % is frozen', OLD.id
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER purchase_moves_forward BEFORE UPDATE ON purchases
  FOR EACH ROW EXECUTE FUNCTION purchase_moves_forward();

CREATE FUNCTION payout_ends_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- A transfer that came back whole is a payout that failed in the end.
  IF OLD.status = 'failed' OR (OLD.status = 'completed' AND NEW.status <> 'completed'
       AND NOT (NEW.status = 'failed' AND NEW.returned_cents = NEW.amount_cents)) THEN
    RAISE EXCEPTION 'payout % has ended', OLD.id USING ERRCODE = 'restrict_violation';
  END IF;
  IF (NEW.id, NEW.developer_id, NEW.account_id, NEW.amount_cents, NEW.requested_at)
     IS DISTINCT FROM
     (OLD.id, OLD.developer_id, OLD.account_id, OLD.amount_cents, OLD.requested_at)
  THEN
    RAISE EXCEPTION 'the order of payout % is frozen', OLD.id USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER payout_ends_once BEFORE UPDATE ON payouts
  FOR EACH ROW EXECUTE FUNCTION payout_ends_once();

CREATE FUNCTION money_rows_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is forbidden', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER purchases_are_kept BEFORE DELETE ON purchases
  FOR EACH ROW EXECUTE FUNCTION money_rows_are_kept();
CREATE TRIGGER purchase_refunds_are_kept BEFORE DELETE ON purchase_refunds
  FOR EACH ROW EXECUTE FUNCTION money_rows_are_kept();
CREATE TRIGGER disputes_are_kept BEFORE DELETE ON disputes
  FOR EACH ROW EXECUTE FUNCTION money_rows_are_kept();
CREATE TRIGGER payouts_are_kept BEFORE DELETE ON payouts
  FOR EACH ROW EXECUTE FUNCTION money_rows_are_kept();
CREATE TRIGGER earnings_are_kept BEFORE DELETE ON earnings
  FOR EACH ROW EXECUTE FUNCTION money_rows_are_kept();
CREATE TRIGGER stripe_events_are_kept BEFORE UPDATE OR DELETE ON stripe_events
  FOR EACH ROW EXECUTE FUNCTION money_rows_are_kept();
"""


def upgrade() -> None:
    op.execute(PURCHASES)
    op.execute(PAYOUTS)
    op.execute(STRIPE)
    op.execute(GUARDS)
