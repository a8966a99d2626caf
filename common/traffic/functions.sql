-- Allowances (GCRA) and requests that may come again. Each function is one step. Time is an argument.

-- Takes p_cells from an allowance of p_burst that grows back by one each p_interval; if there are
-- not so many, one. `granted` is how many were had: 0 is a refusal, to be tried again after
-- `wait_seconds`. `remaining` are left now, and all of them again after `full_seconds`.
CREATE OR REPLACE FUNCTION rate_take(
  p_key text, p_interval interval, p_burst int, p_cells int, p_now timestamptz,
  OUT granted int, OUT remaining int, OUT wait_seconds float8, OUT full_seconds float8
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  ahead timestamptz;
  most interval := p_interval * p_burst;
BEGIN
  FOREACH granted IN ARRAY CASE WHEN p_cells > 1 THEN ARRAY[p_cells, 1] ELSE ARRAY[1] END LOOP
    INSERT INTO rate_limits AS r (key, tat) VALUES (p_key, p_now + p_interval * granted)
    ON CONFLICT (key) DO UPDATE SET tat = greatest(r.tat, p_now) + p_interval * granted
     WHERE greatest(r.tat, p_now) + p_interval * granted - p_now <= most
    RETURNING tat INTO ahead;
    EXIT WHEN FOUND;
  END LOOP;
  IF ahead IS NULL THEN
    granted := 0;
    SELECT tat INTO ahead FROM rate_limits WHERE key = p_key;
  END IF;
  ahead := greatest(ahead, p_now);
  remaining := greatest(0, floor(extract(epoch FROM most - (ahead - p_now))
                                 / extract(epoch FROM p_interval) + 1e-6));
  wait_seconds := greatest(0, extract(epoch FROM ahead + p_interval - most - p_now));
  full_seconds := extract(epoch FROM ahead - p_now);
END $$;

-- A request that may be repeated begins: 'new' (do it), 'replay' (with what was answered),
-- 'running' (another one is at it) or 'reused' (the key was another request's). A request whose
-- process died is begun again when its lock has ended.
CREATE OR REPLACE FUNCTION request_begin(
  p_owner text, p_key text, p_hash bytea, p_now timestamptz,
  OUT outcome text, OUT status int, OUT answer text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  earlier request_keys;
  lock interval := interval '180 seconds'; -- longer than any function may take
BEGIN
  INSERT INTO request_keys (owner, key, request_hash, created_at, locked_until)
  VALUES (p_owner, p_key, p_hash, p_now, p_now + lock) ON CONFLICT DO NOTHING;
  IF FOUND THEN
    outcome := 'new';
    RETURN;
  END IF;
  SELECT * INTO earlier FROM request_keys k WHERE k.owner = p_owner AND k.key = p_key FOR UPDATE;
  outcome := CASE WHEN earlier.owner IS NULL THEN 'running' -- refused and forgotten just now
                  WHEN earlier.request_hash <> p_hash THEN 'reused'
                  WHEN earlier.status IS NOT NULL THEN 'replay'
                  WHEN earlier.locked_until > p_now THEN 'running'
                  ELSE 'new' END;
  IF outcome = 'replay' THEN
    status := earlier.status;
    answer := earlier.answer;
  ELSIF outcome = 'new' THEN
    UPDATE request_keys k SET locked_until = p_now + lock WHERE k.owner = p_owner AND k.key = p_key;
  END IF;
END $$;

CREATE OR REPLACE FUNCTION request_finish(
  p_owner text, p_key text, p_status int, p_answer text
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  UPDATE request_keys SET status = p_status, answer = p_answer
   WHERE owner = p_owner AND key = p_key AND status IS NULL;
$$;

-- It was refused and has changed nothing: the same key may be used again.
CREATE OR REPLACE FUNCTION request_abandon(p_owner text, p_key text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  DELETE FROM request_keys WHERE owner = p_owner AND key = p_key AND status IS NULL;
$$;

-- Someone has gone: what was answered to them is not kept.
CREATE OR REPLACE FUNCTION requests_erase(p_owner text) RETURNS void
LANGUAGE sql SET search_path = public, pg_temp AS $$
  DELETE FROM request_keys WHERE owner = p_owner;
$$;

-- Keys are remembered for a day; an allowance that is whole again needs no row.
CREATE OR REPLACE FUNCTION traffic_forget(p_now timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  DELETE FROM request_keys WHERE created_at < p_now - interval '1 day';
  DELETE FROM rate_limits WHERE key IN (
    SELECT key FROM rate_limits WHERE tat < p_now LIMIT 5000 FOR UPDATE SKIP LOCKED);
$$;

REVOKE ALL ON FUNCTION
  rate_take, request_begin, request_finish, request_abandon, requests_erase, traffic_forget
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  rate_take, request_begin, request_finish, request_abandon, traffic_forget
TO tarsify_app;
