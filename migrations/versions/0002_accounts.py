"""Accounts of consumers and developers."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE consumers (
  id uuid CONSTRAINT pk_consumers PRIMARY KEY DEFAULT gen_random_uuid(),
  firebase_uid text NOT NULL CONSTRAINT uq_consumers_firebase_uid UNIQUE,
  email text,
  email_verified boolean NOT NULL DEFAULT false,
  name text,
  avatar_url text,
  suspended_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX uq_consumers_email ON consumers (lower(email));

CREATE TABLE developers (
  id uuid CONSTRAINT pk_developers PRIMARY KEY DEFAULT gen_random_uuid(),
  firebase_uid text NOT NULL CONSTRAINT uq_developers_firebase_uid UNIQUE,
  email text,
  email_verified boolean NOT NULL DEFAULT false,
  display_name text,
  avatar_url text,
  bio text,
  country text CONSTRAINT ck_developers_country CHECK (country ~ '^[A-Z]{2}$'),
  payout_email text,
  stripe_account_id text,
  verified boolean NOT NULL DEFAULT false,
  suspended_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX uq_developers_email ON developers (lower(email));

GRANT SELECT, INSERT, UPDATE ON consumers, developers TO tarsify_app;
"""


def upgrade() -> None:
    op.execute(TABLES)
