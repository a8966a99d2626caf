"""What limits callers, and what was answered to requests that may be repeated."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = """
-- Lost in a crash of the server, which only makes everyone's allowance whole again.
CREATE UNLOGGED TABLE rate_limits (
  key text CONSTRAINT pk_rate_limits PRIMARY KEY,
  tat timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE request_keys (
  owner text NOT NULL,
  key text NOT NULL CONSTRAINT ck_request_keys_key CHECK (length(key) BETWEEN 1 AND 255),
  request_hash bytea NOT NULL,
  status int,
  answer text,
  created_at timestamptz NOT NULL,
  locked_until timestamptz NOT NULL,
  CONSTRAINT pk_request_keys PRIMARY KEY (owner, key),
  CONSTRAINT ck_request_keys_answered_with_status CHECK ((status IS NULL) = (answer IS NULL))
);
CREATE INDEX ix_request_keys_created_at ON request_keys (created_at);
GRANT SELECT ON rate_limits, request_keys TO tarsify_app;
"""


def upgrade() -> None:
    op.execute(TABLES)
