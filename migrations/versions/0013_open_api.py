"""Runs that take turns, end by themselves and are streamed; uploads; moderation and reports."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

RUNS = """
ALTER TABLE executions
  ADD COLUMN cancel_at timestamptz,
  ADD COLUMN throttled boolean NOT NULL DEFAULT false;

-- One row: how much a consumer may have going at once, and a new one may buy in a day.
CREATE TABLE consumer_limits (
  the_only boolean NOT NULL DEFAULT true CONSTRAINT pk_consumer_limits PRIMARY KEY
    CONSTRAINT ck_consumer_limits_one_row CHECK (the_only),
  concurrent_runs int NOT NULL
    CONSTRAINT ck_consumer_limits_concurrent_runs CHECK (concurrent_runs BETWEEN 1 AND 10000),
  new_account_days int NOT NULL
    CONSTRAINT ck_consumer_limits_new_account_days CHECK (new_account_days BETWEEN 0 AND 365),
  new_account_cents_per_day int NOT NULL
    CONSTRAINT ck_consumer_limits_new_account_cents_per_day CHECK (new_account_cents_per_day >= 0)
);
INSERT INTO consumer_limits (concurrent_runs, new_account_days, new_account_cents_per_day)
VALUES (100, 7, 50000);
GRANT SELECT, UPDATE ON consumer_limits TO tarsify_app;

-- The text of a run as it comes, for whoever follows it; kept for a day.
CREATE TABLE run_chunks (
  execution_id uuid NOT NULL,
  n int NOT NULL,
  attempt int NOT NULL,
  content text NOT NULL,
  at timestamptz NOT NULL,
  CONSTRAINT pk_run_chunks PRIMARY KEY (execution_id, n)
);
CREATE INDEX ix_run_chunks_at ON run_chunks (at);

-- RunPod gives each piece of a stream once: one reader at a time takes them for all.
CREATE TABLE run_streams (
  execution_id uuid CONSTRAINT pk_run_streams PRIMARY KEY,
  holder uuid NOT NULL,
  leased_until timestamptz NOT NULL
);
GRANT SELECT ON run_chunks, run_streams TO tarsify_app;
"""

# An account that is deleted takes its words along: the one change of an ended run. Only
# consumer_erase sets this, and only the owner of the tables can write them.
ERASING = """
CREATE OR REPLACE FUNCTION execution_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('tarsify.erasing', true) = 'on' THEN
    RETURN NEW;
  END IF;
  IF OLD.phase = 'done' THEN
    RAISE EXCEPTION 'execution % has ended', OLD.id USING ERRCODE = 'restrict_violation';
  END IF;
  IF execution_status_rank(NEW.status) < execution_status_rank(OLD.status) THEN
    RAISE EXCEPTION 'execution % cannot go from % to %', OLD.id, OLD.status, NEW.status
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION execution_terms_are_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('tarsify.erasing', true) = 'on' AND OLD.phase = 'done'
     AND (NEW.price, NEW.fee, NEW.consumer_id, NEW.developer_id, NEW.id)
         IS NOT DISTINCT FROM (OLD.price, OLD.fee, OLD.consumer_id, OLD.developer_id, OLD.id) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'the terms of execution % are frozen', OLD.id
    USING ERRCODE = 'restrict_violation';
END $$;
"""

UPLOADS = """
CREATE TABLE uploads (
  id uuid CONSTRAINT pk_uploads PRIMARY KEY,
  consumer_id uuid NOT NULL
    CONSTRAINT fk_uploads_consumer_id_consumers REFERENCES consumers (id),
  object_name text NOT NULL,
  content_type text NOT NULL,
  most_bytes bigint NOT NULL CONSTRAINT ck_uploads_most_bytes CHECK (most_bytes > 0),
  made_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX ix_uploads_expires_at ON uploads (expires_at);
CREATE INDEX ix_uploads_consumer_id ON uploads (consumer_id, made_at);
GRANT SELECT, INSERT ON uploads TO tarsify_app;
"""

MODERATION = """
-- A handful of rows: looking at them takes no time.
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE base_models ADD COLUMN moderation text NOT NULL DEFAULT 'off'
  CONSTRAINT ck_base_models_moderation CHECK (moderation IN ('off', 'warn', 'block'));
ALTER TABLE tars_models ADD COLUMN suspended_at timestamptz;

CREATE TABLE moderation_terms (
  term text CONSTRAINT pk_moderation_terms PRIMARY KEY
);
GRANT SELECT, INSERT, DELETE ON moderation_terms TO tarsify_app;

-- What was found in inputs, and what was done about it: for good.
CREATE TABLE moderation_findings (
  id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_moderation_findings PRIMARY KEY,
  at timestamptz NOT NULL,
  mode text NOT NULL CONSTRAINT ck_moderation_findings_mode CHECK (mode IN ('warn', 'block')),
  consumer_id uuid NOT NULL,
  tars_model_id uuid NOT NULL,
  fields jsonb NOT NULL,
  terms jsonb NOT NULL
);
CREATE INDEX ix_moderation_findings_consumer_id ON moderation_findings (consumer_id, id);
GRANT SELECT, INSERT ON moderation_findings TO tarsify_app;

CREATE TABLE reports (
  id uuid CONSTRAINT pk_reports PRIMARY KEY,
  consumer_id uuid NOT NULL
    CONSTRAINT fk_reports_consumer_id_consumers REFERENCES consumers (id),
  tars_model_id uuid NOT NULL
    CONSTRAINT fk_reports_tars_model_id_tars_models REFERENCES tars_models (id),
  reason text NOT NULL,
  details text,
  made_at timestamptz NOT NULL,
  state text NOT NULL DEFAULT 'open' CONSTRAINT ck_reports_state
    CHECK (state IN ('open', 'upheld', 'dismissed')),
  closed_at timestamptz,
  CONSTRAINT ck_reports_closed_has_time CHECK ((state = 'open') = (closed_at IS NULL))
);
CREATE UNIQUE INDEX uq_reports_open ON reports (consumer_id, tars_model_id) WHERE state = 'open';
CREATE INDEX ix_reports_state ON reports (state, made_at);
GRANT SELECT, INSERT, UPDATE ON reports TO tarsify_app;
"""


def upgrade() -> None:
    op.execute(RUNS)
    op.execute(ERASING)
    op.execute(UPLOADS)
    op.execute(MODERATION)
