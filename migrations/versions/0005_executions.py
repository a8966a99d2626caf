"""Executions, their attempts, the outbox and idempotency keys.

The rules a state machine lives by are constraints here: a terminal row never changes, a status
never goes back, every live execution has a time at which it is looked at next.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE executions (
  id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('RUN', 'TEST')),
  consumer_id uuid REFERENCES consumers (id),
  developer_id uuid NOT NULL REFERENCES developers (id),
  tars_model_id uuid NOT NULL REFERENCES tars_models (id),
  version_id uuid REFERENCES tars_model_versions (id),
  base_model_id uuid NOT NULL REFERENCES base_models (id),
  endpoint_id uuid NOT NULL REFERENCES runpod_endpoints (id),
  runpod_endpoint_id text NOT NULL,
  output_adapter text NOT NULL,
  output_type text NOT NULL,
  withheld jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(withheld) = 'array'),

  status text NOT NULL DEFAULT 'PENDING' CHECK (status IN
    ('PENDING', 'QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'TIMED_OUT', 'CANCELLED')),
  phase text NOT NULL DEFAULT 'waiting' CHECK (phase IN
    ('waiting', 'submitting', 'watching', 'done')),
  attempts smallint NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND 3),
  cancel_requested boolean NOT NULL DEFAULT false,

  price bigint NOT NULL CHECK (price >= 0),
  fee bigint NOT NULL CHECK (fee BETWEEN 0 AND price),
  queue_seconds int NOT NULL CHECK (queue_seconds > 0),
  execution_timeout_seconds int NOT NULL CHECK (execution_timeout_seconds > 0),

  inputs jsonb NOT NULL,
  payload jsonb NOT NULL,
  test_fingerprint bytea,
  output jsonb,
  error_code text,
  error_message text,

  created_at timestamptz NOT NULL,
  started_at timestamptz,
  finished_at timestamptz,
  next_check_at timestamptz,
  expires_at timestamptz NOT NULL,
  delay_ms bigint CHECK (delay_ms >= 0),
  execution_ms bigint CHECK (execution_ms >= 0),

  CONSTRAINT a_run_has_a_consumer_and_a_price CHECK (
    (kind = 'RUN' AND consumer_id IS NOT NULL AND version_id IS NOT NULL AND price > 0)
    OR (kind = 'TEST' AND consumer_id IS NULL AND price = 0)),
  CONSTRAINT done_means_terminal CHECK (
    (phase = 'done') = (status IN ('COMPLETED', 'FAILED', 'TIMED_OUT', 'CANCELLED'))),
  CONSTRAINT done_means_finished CHECK ((phase = 'done') = (finished_at IS NOT NULL)),
  CONSTRAINT alive_means_looked_at CHECK ((phase = 'done') = (next_check_at IS NULL)),
  CONSTRAINT output_means_completed CHECK ((output IS NOT NULL) = (status = 'COMPLETED'))
) WITH (fillfactor = 70);
CREATE INDEX executions_due ON executions (next_check_at, id) WHERE phase <> 'done';
CREATE INDEX executions_of_consumer ON executions (consumer_id, created_at DESC, id DESC);
CREATE INDEX executions_of_model ON executions (tars_model_id, status);
CREATE INDEX executions_tests ON executions (developer_id, created_at) WHERE kind = 'TEST';

CREATE TABLE attempts (
  id uuid PRIMARY KEY,
  execution_id uuid NOT NULL REFERENCES executions (id),
  n smallint NOT NULL CHECK (n BETWEEN 1 AND 3),
  state text NOT NULL DEFAULT 'intent' CHECK (state IN
    ('intent', 'submitted', 'completed', 'failed', 'timed_out', 'cancelled', 'lost')),
  runpod_endpoint_id text NOT NULL,
  token_hash bytea NOT NULL,
  job_id text CHECK (length(job_id) BETWEEN 1 AND 128),
  polls int NOT NULL DEFAULT 0,
  want_cancel boolean NOT NULL DEFAULT false,
  begun_at timestamptz NOT NULL,
  looked_at timestamptz,
  deadline_at timestamptz NOT NULL,
  ended_at timestamptz,
  error text,
  UNIQUE (execution_id, n),
  UNIQUE (runpod_endpoint_id, job_id)
) WITH (fillfactor = 80);
CREATE INDEX attempts_to_cancel ON attempts (begun_at, id) WHERE want_cancel;

-- What happened, for operators; never shown to consumers.
CREATE TABLE execution_events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  execution_id uuid NOT NULL,
  attempt_id uuid,
  what text NOT NULL,
  effect text NOT NULL,
  at timestamptz NOT NULL
);
CREATE INDEX execution_events_of ON execution_events (execution_id, id);

-- The terminal announcement: one per execution, in the transaction that ended it.
CREATE TABLE announcements (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  execution_id uuid NOT NULL UNIQUE REFERENCES executions (id),
  status text NOT NULL,
  at timestamptz NOT NULL
);

-- Work that must follow a commit: what is still here has not been done.
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic text NOT NULL CHECK (topic IN ('submit')),
  ref uuid NOT NULL,
  due_at timestamptz NOT NULL,
  relays int NOT NULL DEFAULT 0,
  UNIQUE (topic, ref)
);
CREATE INDEX outbox_due ON outbox (due_at, id);

CREATE TABLE idempotency_keys (
  owner_id uuid NOT NULL,
  key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  request_hash bytea NOT NULL,
  execution_id uuid NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (owner_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
"""

GUARDS = """
CREATE FUNCTION execution_status_rank(p_status text) RETURNS int LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE p_status WHEN 'PENDING' THEN 0 WHEN 'QUEUED' THEN 1 WHEN 'RUNNING' THEN 2 ELSE 3 END
$$;

CREATE FUNCTION execution_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.phase = 'done' THEN
    RAISE EXCEPTION 'execution % has ended', OLD.id USING ERRCODE = 'restrict_violation';
  END IF;
  IF execution_status_rank(NEW.status) < execution_status_rank(OLD.status) THEN
    RAISE EXCEPTION 'execution % cannot go from % to %', OLD.id, OLD.status, NEW.status
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION execution_terms_are_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the terms of execution % are frozen', OLD.id
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION executions_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'executions are never deleted' USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER execution_moves_forward BEFORE UPDATE ON executions
  FOR EACH ROW EXECUTE FUNCTION execution_moves_forward();
-- No step assigns these columns, so that this costs nothing, even of a payload of megabytes.
CREATE TRIGGER execution_terms_are_frozen BEFORE UPDATE OF
  id, kind, consumer_id, developer_id, tars_model_id, version_id, base_model_id, endpoint_id,
  runpod_endpoint_id, output_adapter, output_type, withheld, price, fee, queue_seconds,
  execution_timeout_seconds, inputs, payload, created_at, expires_at
  ON executions FOR EACH ROW EXECUTE FUNCTION execution_terms_are_frozen();
CREATE TRIGGER executions_are_kept BEFORE DELETE ON executions
  FOR EACH ROW EXECUTE FUNCTION executions_are_kept();
CREATE TRIGGER executions_are_not_truncated BEFORE TRUNCATE ON executions
  FOR EACH STATEMENT EXECUTE FUNCTION executions_are_kept();
CREATE TRIGGER announcements_are_kept BEFORE UPDATE OR DELETE ON announcements
  FOR EACH ROW EXECUTE FUNCTION executions_are_kept();
CREATE TRIGGER announcements_are_not_truncated BEFORE TRUNCATE ON announcements
  FOR EACH STATEMENT EXECUTE FUNCTION executions_are_kept();
"""

PRIVILEGES = """
GRANT SELECT ON executions, attempts, execution_events, announcements, outbox, idempotency_keys
  TO tarsify_app;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(GUARDS)
    op.execute(PRIVILEGES)
