"""The log of what happened to whom, webhooks that are told of it, and the deliveries to them."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# By transaction and then by number an event's place is final once it can be read: a later one can
# never come before it (infra/decisions/2026-11-28-events-by-transaction.md).
EVENTS = """
CREATE TABLE events (
  id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_events PRIMARY KEY,
  xid bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
  consumer_id uuid,
  developer_id uuid,
  type text NOT NULL,
  execution_id uuid,
  data jsonb NOT NULL,
  at timestamptz NOT NULL,
  CONSTRAINT ck_events_one_owner CHECK (num_nonnulls(consumer_id, developer_id) = 1)
);
CREATE INDEX ix_events_consumer_id ON events (consumer_id, xid, id) WHERE consumer_id IS NOT NULL;
CREATE INDEX ix_events_developer_id ON events (developer_id, xid, id)
  WHERE developer_id IS NOT NULL;
CREATE INDEX ix_events_at ON events (at);
GRANT SELECT ON events TO tarsify_app;
"""

WEBHOOKS = """
CREATE TABLE webhook_endpoints (
  id uuid CONSTRAINT pk_webhook_endpoints PRIMARY KEY,
  consumer_id uuid CONSTRAINT fk_webhook_endpoints_consumer_id_consumers REFERENCES consumers (id),
  developer_id uuid
    CONSTRAINT fk_webhook_endpoints_developer_id_developers REFERENCES developers (id),
  execution_id uuid CONSTRAINT uq_webhook_endpoints_execution_id UNIQUE,
  url text NOT NULL,
  description text,
  event_types jsonb NOT NULL DEFAULT '[]',
  secret text NOT NULL,
  old_secret text,
  old_secret_until timestamptz,
  created_at timestamptz NOT NULL,
  failing_since timestamptz,
  disabled_at timestamptz,
  disabled_for text,
  deleted_at timestamptz,
  CONSTRAINT ck_webhook_endpoints_one_owner CHECK (num_nonnulls(consumer_id, developer_id) = 1)
);
CREATE INDEX ix_webhook_endpoints_consumer_id ON webhook_endpoints (consumer_id)
  WHERE execution_id IS NULL AND deleted_at IS NULL;
CREATE INDEX ix_webhook_endpoints_of_runs ON webhook_endpoints (created_at)
  WHERE execution_id IS NOT NULL;
CREATE INDEX ix_webhook_endpoints_developer_id ON webhook_endpoints (developer_id)
  WHERE execution_id IS NULL AND deleted_at IS NULL;

-- What a consumer's webhooks of single runs are signed with.
CREATE TABLE run_webhook_secrets (
  consumer_id uuid CONSTRAINT pk_run_webhook_secrets PRIMARY KEY
    CONSTRAINT fk_run_webhook_secrets_consumer_id_consumers REFERENCES consumers (id),
  secret text NOT NULL,
  made_at timestamptz NOT NULL
);

CREATE TABLE deliveries (
  id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_deliveries PRIMARY KEY,
  event_id bigint NOT NULL
    CONSTRAINT fk_deliveries_event_id_events REFERENCES events (id) ON DELETE CASCADE,
  endpoint_id uuid NOT NULL
    CONSTRAINT fk_deliveries_endpoint_id_webhook_endpoints REFERENCES webhook_endpoints (id),
  execution_id uuid,
  state text NOT NULL DEFAULT 'waiting' CONSTRAINT ck_deliveries_state
    CHECK (state IN ('waiting', 'delivered', 'failed', 'dropped')),
  attempts int NOT NULL DEFAULT 0,
  due_at timestamptz NOT NULL,
  made_at timestamptz NOT NULL,
  ended_at timestamptz,
  CONSTRAINT uq_deliveries_event_id_endpoint_id UNIQUE (event_id, endpoint_id)
) WITH (fillfactor = 80);
CREATE INDEX ix_deliveries_waiting ON deliveries (due_at, id) WHERE state = 'waiting';
CREATE INDEX ix_deliveries_in_order ON deliveries (execution_id, endpoint_id, id)
  WHERE state = 'waiting' AND execution_id IS NOT NULL;
CREATE INDEX ix_deliveries_ended ON deliveries (endpoint_id, ended_at);
CREATE INDEX ix_deliveries_endpoint_id ON deliveries (endpoint_id, id DESC);

CREATE TABLE delivery_attempts (
  delivery_id bigint NOT NULL
    CONSTRAINT fk_delivery_attempts_delivery_id_deliveries
    REFERENCES deliveries (id) ON DELETE CASCADE,
  n int NOT NULL,
  at timestamptz NOT NULL,
  status int,
  error text,
  took_ms int NOT NULL,
  CONSTRAINT pk_delivery_attempts PRIMARY KEY (delivery_id, n, at)
);

-- Whoever is to be told of an event gets a delivery of it, at once or never.
CREATE FUNCTION webhook_fan_out() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO deliveries (event_id, endpoint_id, execution_id, due_at, made_at)
  SELECT NEW.id, w.id, NEW.execution_id, NEW.at, NEW.at FROM (
    SELECT * FROM webhook_endpoints
     WHERE NEW.consumer_id IS NOT NULL AND consumer_id = NEW.consumer_id
       AND execution_id IS NULL AND deleted_at IS NULL
    UNION ALL
    SELECT * FROM webhook_endpoints
     WHERE NEW.developer_id IS NOT NULL AND developer_id = NEW.developer_id
       AND execution_id IS NULL AND deleted_at IS NULL
    UNION ALL
    SELECT * FROM webhook_endpoints
     WHERE NEW.execution_id IS NOT NULL AND execution_id = NEW.execution_id
       AND consumer_id = NEW.consumer_id) w
   WHERE w.disabled_at IS NULL
     AND (w.event_types = '[]' OR w.event_types ? NEW.type)
     AND (NEW.type <> 'webhook.test' OR NEW.data->>'endpointId' = w.id::text);
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION webhook_fan_out FROM PUBLIC;
CREATE TRIGGER webhook_fan_out AFTER INSERT ON events
  FOR EACH ROW EXECUTE FUNCTION webhook_fan_out();

GRANT SELECT, INSERT, UPDATE ON webhook_endpoints, run_webhook_secrets TO tarsify_app;
GRANT SELECT ON deliveries, delivery_attempts TO tarsify_app;
"""


def upgrade() -> None:
    op.execute(EVENTS)
    op.execute(WEBHOOKS)
