-- Deliveries of events: made in the event's transaction, tried when due, in order for each run.
-- Schedule of the Standard Webhooks specification 1.0.0. Lock order: the delivery, its endpoint.

-- The webhook of a run that is being started: {id, url, eventTypes, secret}.
CREATE OR REPLACE FUNCTION webhook_of_run(
  p_webhook jsonb, p_consumer uuid, p_execution uuid, p_now timestamptz
) RETURNS void LANGUAGE sql SET search_path = public, pg_temp AS $$
  INSERT INTO webhook_endpoints (id, consumer_id, execution_id, url, event_types, secret, created_at)
  VALUES ((p_webhook->>'id')::uuid, p_consumer, p_execution, p_webhook->>'url',
          p_webhook->'eventTypes', p_webhook->>'secret', p_now);
$$;

-- The pause after the n-th failed try; NULL when there have been enough.
CREATE OR REPLACE FUNCTION delivery_pause(p_attempts int) RETURNS interval
LANGUAGE sql IMMUTABLE AS $$
  SELECT (ARRAY[interval '5 seconds', interval '5 minutes', interval '30 minutes',
                interval '2 hours', interval '5 hours', interval '10 hours', interval '14 hours',
                interval '20 hours', interval '24 hours'])[p_attempts]
$$;

-- The last delivery of the same run to the same endpoint that has to come before this one.
CREATE OR REPLACE FUNCTION delivery_before(d deliveries) RETURNS SETOF deliveries
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT x.* FROM deliveries x WHERE x.state = 'waiting' AND x.execution_id = d.execution_id
     AND x.endpoint_id = d.endpoint_id AND x.id < d.id ORDER BY x.id DESC LIMIT 1;
$$;

-- A try begins, for one caller: 'send' with all that is needed; else 'none' (nothing is to be done),
-- 'early', or 'behind' (an earlier delivery of the same run comes first). A process that dies is
-- replaced after a minute.
CREATE OR REPLACE FUNCTION delivery_begin(
  p_id bigint, p_now timestamptz,
  OUT action text, OUT due_at timestamptz, OUT attempt int, OUT url text, OUT secret text,
  OUT old_secret text, OUT xid bigint, OUT event_id bigint, OUT type text, OUT data jsonb,
  OUT at timestamptz
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  d deliveries;
  w webhook_endpoints;
  e events;
BEGIN
  SELECT * INTO d FROM deliveries x WHERE x.id = p_id FOR UPDATE;
  action := 'none';
  IF d.id IS NULL OR d.state <> 'waiting' THEN
    RETURN;
  END IF;
  SELECT * INTO w FROM webhook_endpoints x WHERE x.id = d.endpoint_id;
  IF w.disabled_at IS NOT NULL OR w.deleted_at IS NOT NULL THEN
    UPDATE deliveries x SET state = 'dropped', ended_at = p_now WHERE x.id = d.id;
  ELSIF d.due_at > p_now THEN
    action := 'early';
    due_at := d.due_at;
  ELSIF EXISTS (SELECT 1 FROM delivery_before(d)) THEN
    action := 'behind';
    UPDATE deliveries x SET due_at = greatest(x.due_at, p_now, (SELECT b.due_at FROM delivery_before(d) b))
     WHERE x.id = d.id;
  ELSE
    SELECT * INTO e FROM events x WHERE x.id = d.event_id;
    UPDATE deliveries x SET attempts = d.attempts + 1, due_at = p_now + interval '1 minute'
     WHERE x.id = d.id;
    action := 'send';
    attempt := d.attempts + 1;
    url := w.url;
    secret := w.secret;
    old_secret := CASE WHEN w.old_secret_until > p_now THEN w.old_secret END;
    xid := e.xid;
    event_id := e.id;
    type := e.type;
    data := e.data;
    at := e.at;
  END IF;
END $$;

-- An endpoint is told nothing more until its owner says so, and the owner is told why.
CREATE OR REPLACE FUNCTION webhook_disable(
  w webhook_endpoints, p_reason text, p_now timestamptz
) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE webhook_endpoints SET disabled_at = p_now, disabled_for = p_reason
   WHERE id = w.id AND disabled_at IS NULL;
  IF FOUND AND w.execution_id IS NULL THEN
    PERFORM event_add(w.consumer_id, w.developer_id, 'webhook.disabled', NULL, jsonb_build_object(
      'endpointId', w.id, 'url', w.url, 'reason', p_reason), p_now);
  END IF;
END $$;

-- How a try went. p_status NULL: no answer (p_error says why). p_jitter: 0 to 1. Answers what became
-- of the delivery, when it is due again, and the run's next delivery to the same endpoint.
CREATE OR REPLACE FUNCTION delivery_end(
  p_id bigint, p_attempt int, p_status int, p_error text, p_retry_after int, p_took_ms int,
  p_jitter float8, p_now timestamptz,
  OUT state text, OUT due_at timestamptz, OUT next_id bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  d deliveries;
  w webhook_endpoints;
  pause interval := delivery_pause(p_attempt) * (0.9 + 0.2 * p_jitter);
BEGIN
  SELECT * INTO d FROM deliveries x WHERE x.id = p_id FOR UPDATE;
  IF d.id IS NULL OR d.state <> 'waiting' OR d.attempts <> p_attempt THEN
    state := 'stale';
    RETURN;
  END IF;
  INSERT INTO delivery_attempts (delivery_id, n, at, status, error, took_ms)
  VALUES (d.id, p_attempt, p_now, p_status, p_error, p_took_ms) ON CONFLICT DO NOTHING;
  SELECT * INTO w FROM webhook_endpoints x WHERE x.id = d.endpoint_id FOR NO KEY UPDATE;
  IF p_status BETWEEN 200 AND 299 THEN
    state := 'delivered';
    UPDATE webhook_endpoints x SET failing_since = NULL
     WHERE x.id = w.id AND x.failing_since IS NOT NULL;
  ELSIF p_status = 410 OR pause IS NULL THEN
    state := 'failed';
    PERFORM webhook_disable(w, CASE WHEN p_status = 410 THEN 'gone' ELSE 'failing' END, p_now);
  ELSE
    state := 'waiting';
    due_at := p_now + greatest(pause, make_interval(secs => least(coalesce(p_retry_after, 0), 3600)));
    UPDATE webhook_endpoints x SET failing_since = p_now
     WHERE x.id = w.id AND x.failing_since IS NULL;
  END IF;
  UPDATE deliveries x SET state = delivery_end.state,
    due_at = coalesce(delivery_end.due_at, x.due_at),
    ended_at = CASE WHEN delivery_end.state = 'waiting' THEN NULL ELSE p_now END
   WHERE x.id = d.id;
  IF state <> 'waiting' AND d.execution_id IS NOT NULL THEN
    SELECT x.id INTO next_id FROM deliveries x
     WHERE x.state = 'waiting' AND x.execution_id = d.execution_id
       AND x.endpoint_id = d.endpoint_id ORDER BY x.id LIMIT 1;
    UPDATE deliveries x SET due_at = least(x.due_at, p_now) WHERE x.id = next_id;
  END IF;
END $$;

-- Deliveries that are due and that nothing stands before, the oldest first and of each endpoint only
-- some: one that is dead or busy keeps nobody else waiting.
CREATE OR REPLACE FUNCTION deliveries_due(p_before timestamptz, p_each int, p_limit int)
RETURNS TABLE (id bigint) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
  SELECT r.id FROM (
    SELECT d.id, d.due_at, row_number() OVER (PARTITION BY d.endpoint_id ORDER BY d.due_at, d.id) AS n
      FROM deliveries d WHERE d.state = 'waiting' AND d.due_at <= p_before
       AND NOT EXISTS (SELECT 1 FROM deliveries x
                        WHERE x.state = 'waiting' AND x.execution_id = d.execution_id
                          AND x.endpoint_id = d.endpoint_id AND x.id < d.id)) r
   WHERE r.n <= p_each ORDER BY r.due_at, r.id LIMIT p_limit;
$$;

-- An account that is deleted is told nothing more, and nothing of it is kept.
CREATE OR REPLACE FUNCTION webhooks_erase(
  p_consumer uuid, p_developer uuid, p_now timestamptz
) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  DELETE FROM events WHERE consumer_id = p_consumer OR developer_id = p_developer;
  UPDATE webhook_endpoints SET deleted_at = coalesce(deleted_at, p_now), url = 'erased',
    description = NULL, secret = 'erased', old_secret = NULL
   WHERE consumer_id = p_consumer OR developer_id = p_developer;
  DELETE FROM run_webhook_secrets WHERE consumer_id = p_consumer;
END $$;

-- Sends again what was sent, failed or dropped, of one event or of all since a moment; answers how
-- many, and when the last of them was made. What still waits is due at once.
CREATE OR REPLACE FUNCTION deliveries_replay(
  p_endpoint uuid, p_delivery bigint, p_since timestamptz, p_limit int, p_now timestamptz,
  OUT again bigint, OUT until timestamptz
) LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH chosen AS (
    SELECT d.id FROM deliveries d
     WHERE d.endpoint_id = p_endpoint
       AND (p_delivery IS NULL OR d.id = p_delivery)
       AND (p_since IS NULL OR d.made_at >= p_since)
     ORDER BY d.id LIMIT p_limit FOR UPDATE),
  sent AS (
    UPDATE deliveries d SET state = 'waiting', attempts = 0, due_at = p_now, ended_at = NULL
      FROM chosen c WHERE d.id = c.id RETURNING d.made_at)
  SELECT count(*), max(made_at) FROM sent;
$$;

-- Webhooks of single runs whose events are forgotten.
CREATE OR REPLACE FUNCTION webhooks_forget(p_now timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  DELETE FROM webhook_endpoints WHERE id IN (
    SELECT w.id FROM webhook_endpoints w
     WHERE w.execution_id IS NOT NULL AND w.created_at < p_now - interval '31 days'
       AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.endpoint_id = w.id) LIMIT 5000);
$$;

REVOKE ALL ON FUNCTION
  webhook_of_run, delivery_begin, webhook_disable, delivery_end, deliveries_replay, webhooks_forget,
  deliveries_due, delivery_before, webhooks_erase
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  delivery_begin, delivery_end, deliveries_replay, deliveries_due, webhooks_forget
TO tarsify_app;
