"""API keys of consumers and developers, and what was spent with them."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE api_keys (
  id uuid CONSTRAINT pk_api_keys PRIMARY KEY,
  consumer_id uuid CONSTRAINT fk_api_keys_consumer_id_consumers REFERENCES consumers (id),
  developer_id uuid CONSTRAINT fk_api_keys_developer_id_developers REFERENCES developers (id),
  family_id uuid NOT NULL,
  name text NOT NULL,
  hash bytea NOT NULL CONSTRAINT uq_api_keys_hash UNIQUE,
  last4 text NOT NULL,
  scopes jsonb NOT NULL,
  spend_limit bigint CONSTRAINT ck_api_keys_spend_limit CHECK (spend_limit > 0),
  spend_period text CONSTRAINT ck_api_keys_spend_period CHECK (spend_period IN ('day', 'month')),
  created_at timestamptz NOT NULL,
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  CONSTRAINT ck_api_keys_one_owner CHECK (num_nonnulls(consumer_id, developer_id) = 1),
  CONSTRAINT ck_api_keys_limit_has_period CHECK ((spend_limit IS NULL) = (spend_period IS NULL))
);
CREATE INDEX ix_api_keys_consumer_id ON api_keys (consumer_id, created_at DESC)
  WHERE consumer_id IS NOT NULL;
CREATE INDEX ix_api_keys_developer_id ON api_keys (developer_id, created_at DESC)
  WHERE developer_id IS NOT NULL;
CREATE INDEX ix_api_keys_family_id ON api_keys (family_id);
GRANT SELECT, INSERT ON api_keys TO tarsify_app;
GRANT UPDATE (expires_at, last_used_at, revoked_at) ON api_keys TO tarsify_app;

-- What runs hold and cost by the day or month of the key's limit, all keys of a family together.
CREATE TABLE key_spending (
  family_id uuid NOT NULL,
  since date NOT NULL,
  spent bigint NOT NULL,
  CONSTRAINT pk_key_spending PRIMARY KEY (family_id, since)
) WITH (fillfactor = 70);
GRANT SELECT ON key_spending TO tarsify_app;

ALTER TABLE executions ADD COLUMN api_key_id uuid;
"""


def upgrade() -> None:
    op.execute(TABLES)
