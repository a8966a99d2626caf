"""The ledger: accounts, transfers, holds. What must never happen, the database refuses."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = """
CREATE SCHEMA ledger;

-- Who an account belongs to never changes; what is on it does. They are two tables because a
-- foreign key to a row that is also updated costs a multixact per posting, 3 to 4 times the time
-- on a busy account.
CREATE TABLE ledger.account (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  unit text NOT NULL CHECK (unit IN ('UCR', 'UUSD')),
  class text NOT NULL CHECK (class IN ('guarded', 'deferred')),
  kind text NOT NULL CHECK (kind IN
    ('wallet', 'developer_payable', 'platform_fee', 'promotion')),
  owner_id uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT a_wallet_is_guarded CHECK (kind <> 'wallet' OR class = 'guarded'),
  CONSTRAINT people_own_their_accounts CHECK (
    (kind IN ('wallet', 'developer_payable')) = (owner_id IS NOT NULL)),
  UNIQUE NULLS NOT DISTINCT (kind, owner_id, unit),
  UNIQUE (id, unit),
  UNIQUE (id, class)
);

CREATE TABLE ledger.account_state (
  account_id bigint PRIMARY KEY,
  class text NOT NULL,
  posted bigint NOT NULL DEFAULT 0,
  pending bigint NOT NULL DEFAULT 0 CONSTRAINT pending_not_negative CHECK (pending >= 0),
  frozen boolean NOT NULL DEFAULT false,
  FOREIGN KEY (account_id, class) REFERENCES ledger.account (id, class),
  CONSTRAINT never_overdrawn CHECK (class = 'deferred' OR posted - pending >= 0)
) WITH (fillfactor = 70);

-- One row is one debit and one credit of one amount: an unbalanced posting cannot be written.
CREATE TABLE ledger.transfer (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('grant', 'capture_developer', 'capture_platform')),
  ref uuid NOT NULL,
  leg smallint NOT NULL DEFAULT 0,
  debit_id bigint NOT NULL,
  credit_id bigint NOT NULL,
  unit text NOT NULL,
  amount bigint NOT NULL CHECK (amount > 0),
  at timestamptz NOT NULL,
  CHECK (debit_id <> credit_id),
  UNIQUE (kind, ref, leg),
  FOREIGN KEY (debit_id, unit) REFERENCES ledger.account (id, unit),
  FOREIGN KEY (credit_id, unit) REFERENCES ledger.account (id, unit)
);
CREATE INDEX transfer_debit ON ledger.transfer (debit_id, id);
CREATE INDEX transfer_credit ON ledger.transfer (credit_id, id);

CREATE TABLE ledger.hold (
  id uuid PRIMARY KEY,
  account_id bigint NOT NULL REFERENCES ledger.account (id),
  amount bigint NOT NULL CHECK (amount > 0),
  state text NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'captured', 'released')),
  captured bigint NOT NULL DEFAULT 0,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  resolved_at timestamptz,
  CHECK ((state = 'captured') = (captured > 0)),
  CHECK (captured <= amount),
  CHECK ((state = 'held') = (resolved_at IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX hold_open ON ledger.hold (expires_at) WHERE state = 'held';

-- Effects on deferred accounts that are not folded into their balance yet.
CREATE TABLE ledger.delta (
  account_id bigint NOT NULL,
  amount bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
CREATE INDEX delta_account ON ledger.delta (account_id) INCLUDE (amount);
"""

GUARDS = """
CREATE FUNCTION ledger.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is forbidden: append-only', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION ledger.make_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO ledger.account_state (account_id, class) VALUES (NEW.id, NEW.class);
  RETURN NULL;
END $$;

CREATE FUNCTION ledger.resolve_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'held' OR NEW.state = 'held'
     OR (NEW.id, NEW.amount, NEW.account_id) IS DISTINCT FROM (OLD.id, OLD.amount, OLD.account_id)
  THEN
    RAISE EXCEPTION 'hold % resolves once', OLD.id USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER account_state AFTER INSERT ON ledger.account
  FOR EACH ROW EXECUTE FUNCTION ledger.make_state();
CREATE TRIGGER account_immutable BEFORE UPDATE OR DELETE ON ledger.account
  FOR EACH ROW EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER account_state_kept BEFORE DELETE ON ledger.account_state
  FOR EACH ROW EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER account_state_not_truncated BEFORE TRUNCATE ON ledger.account_state
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER transfer_immutable BEFORE UPDATE OR DELETE ON ledger.transfer
  FOR EACH ROW EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER transfer_kept BEFORE TRUNCATE ON ledger.transfer
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER hold_resolves_once BEFORE UPDATE ON ledger.hold
  FOR EACH ROW EXECUTE FUNCTION ledger.resolve_once();
CREATE TRIGGER hold_kept BEFORE DELETE ON ledger.hold
  FOR EACH ROW EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER hold_not_truncated BEFORE TRUNCATE ON ledger.hold
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
"""

# The application reads; it writes through functions that run with the owner's rights. Who may
# call them is said at the end of functions.sql: default privileges of one schema cannot take
# away what PUBLIC has everywhere.
PRIVILEGES = """
GRANT USAGE ON SCHEMA ledger TO tarsify_app;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO tarsify_app;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(GUARDS)
    op.execute(PRIVILEGES)
