-- The event log: called by the steps that change something, in their transaction.

CREATE OR REPLACE FUNCTION event_add(
  p_consumer uuid, p_developer uuid, p_type text, p_execution uuid, p_data jsonb, p_now timestamptz
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  INSERT INTO events (consumer_id, developer_id, type, execution_id, data, at)
  VALUES (p_consumer, p_developer, p_type, p_execution, p_data, p_now);
$$;

-- The number below which every transaction has ended: events of it and later may still appear.
CREATE OR REPLACE FUNCTION events_settled_before() RETURNS bigint
LANGUAGE sql STABLE AS $$ SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint $$;

-- Events, and the deliveries of them, can be read for 30 days.
CREATE OR REPLACE FUNCTION events_forget(p_now timestamptz, p_limit int) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  DELETE FROM events WHERE id IN (
    SELECT id FROM events WHERE at < p_now - interval '30 days' ORDER BY at LIMIT p_limit);
$$;

REVOKE ALL ON FUNCTION event_add, events_forget FROM PUBLIC;
GRANT EXECUTE ON FUNCTION event_add, events_forget TO tarsify_app;
