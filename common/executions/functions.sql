-- The life of an execution: every function is one step, one statement, one transaction.
-- Time is an argument so that tests own the clock. Every step may be repeated.
-- Phases: waiting (for a submit) -> submitting (POST /run may be on its way) -> watching -> done.
-- The wire status only moves forward; a retried run keeps the furthest status it showed.
-- SQLSTATEs raised: those of the ledger; P0409 the model changed; P0422 key used for another
-- request; P0429 test quota used; those of the API keys.

-- How long an attempt may stay without an answer to POST /run before it counts as lost.
CREATE OR REPLACE FUNCTION execution_submit_grace() RETURNS interval
LANGUAGE sql IMMUTABLE AS $$ SELECT interval '90 seconds' $$;

-- RunPod gives up by its own ttl before we do; the margin keeps late completions rare.
CREATE OR REPLACE FUNCTION execution_attempt_allowance(e executions) RETURNS interval
LANGUAGE sql IMMUTABLE AS $$
  SELECT make_interval(secs => e.queue_seconds + e.execution_timeout_seconds + 60)
$$;

-- Nothing lives longer than this: three attempts, each with its grace, and five minutes.
CREATE OR REPLACE FUNCTION execution_lifetime(p_queue int, p_timeout int) RETURNS interval
LANGUAGE sql IMMUTABLE AS $$ SELECT make_interval(secs => 3 * (90 + p_queue + p_timeout) + 300) $$;

CREATE OR REPLACE FUNCTION execution_note(
  p_execution uuid, p_attempt uuid, p_what text, p_effect text, p_now timestamptz
) RETURNS void LANGUAGE sql SET search_path = public, pg_temp AS $$
  INSERT INTO execution_events (execution_id, attempt_id, what, effect, at)
  VALUES (p_execution, p_attempt, p_what, p_effect, p_now);
$$;

-- Inserts the row and its outbox entry; what both kinds of start share.
CREATE OR REPLACE FUNCTION execution_insert(p_new executions, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO executions (
    id, kind, consumer_id, developer_id, tars_model_id, version_id, base_model_id, endpoint_id,
    runpod_endpoint_id, output_adapter, output_type, withheld, price, fee, queue_seconds,
    execution_timeout_seconds, inputs, payload, test_fingerprint, api_key_id, cancel_at,
    gpu_micro_usd_per_second, created_at, next_check_at, expires_at)
  VALUES (
    p_new.id, p_new.kind, p_new.consumer_id, p_new.developer_id, p_new.tars_model_id,
    p_new.version_id, p_new.base_model_id, p_new.endpoint_id, p_new.runpod_endpoint_id,
    p_new.output_adapter, p_new.output_type, coalesce(p_new.withheld, '[]'), p_new.price,
    p_new.fee, p_new.queue_seconds, p_new.execution_timeout_seconds, p_new.inputs, p_new.payload,
    p_new.test_fingerprint, p_new.api_key_id, p_new.cancel_at, gpu_price_of(p_new.base_model_id, p_now), p_now, p_now,
    p_now + execution_lifetime(p_new.queue_seconds, p_new.execution_timeout_seconds));
  INSERT INTO outbox (topic, ref, due_at) VALUES ('submit', p_new.id, p_now);
END $$;

-- Hop 1. 'started', or 'replayed' with the earlier execution of the same key; and what is left
-- in the wallet.
CREATE OR REPLACE FUNCTION execution_start(
  p_new jsonb, p_key text, p_request_hash bytea, p_now timestamptz,
  OUT outcome text, OUT execution_id uuid, OUT remaining bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  new executions := jsonb_populate_record(NULL::executions, p_new);
  wallet bigint := ledger.account_of('wallet', new.consumer_id);
  earlier idempotency_keys;
  parties record;
BEGIN
  IF p_key IS NOT NULL THEN
    INSERT INTO idempotency_keys (owner_id, key, request_hash, execution_id, created_at)
    VALUES (new.consumer_id, p_key, p_request_hash, new.id, p_now) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
      SELECT * INTO earlier FROM idempotency_keys
       WHERE owner_id = new.consumer_id AND key = p_key;
      IF earlier.request_hash IS DISTINCT FROM p_request_hash THEN
        RAISE EXCEPTION 'the key was used for another request' USING ERRCODE = 'P0422';
      END IF;
      outcome := 'replayed';
      execution_id := earlier.execution_id;
      remaining := ledger.available(wallet);
      RETURN;
    END IF;
  END IF;
  PERFORM 1 FROM tars_models m
     JOIN base_models b ON b.id = m.base_model_id AND b.is_active
     JOIN runpod_endpoints r ON r.id = b.endpoint_id AND r.is_active
     JOIN developers d ON d.id = m.developer_id AND d.suspended_at IS NULL
    WHERE m.id = new.tars_model_id AND m.published_version_id = new.version_id
      AND m.status = 'PUBLISHED' AND m.deleted_at IS NULL AND m.suspended_at IS NULL
      AND r.runpod_endpoint_id = new.runpod_endpoint_id;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the model changed' USING ERRCODE = 'P0409';
  END IF;
  SELECT c.suspended_at, c.email_verified AND d.email_verified
         AND lower(c.email) = lower(d.email) AS same_person
    INTO parties FROM consumers c, developers d
   WHERE c.id = new.consumer_id AND d.id = new.developer_id
     FOR KEY SHARE OF c; -- nobody leaves while a run of theirs begins
  IF parties.suspended_at IS NOT NULL THEN
    RAISE EXCEPTION 'the consumer is suspended' USING ERRCODE = 'P0406';
  ELSIF parties.same_person THEN
    new.fee := new.price; -- a run of one's own model earns nothing
  END IF;
  PERFORM ledger.place_hold(
    new.id, wallet, new.price,
    p_now + execution_lifetime(new.queue_seconds, new.execution_timeout_seconds), p_now);
  IF new.api_key_id IS NOT NULL THEN
    PERFORM key_spend(new.api_key_id, new.price, p_now);
  END IF;
  PERFORM execution_insert(new, p_now);
  IF p_new->'webhook' <> 'null' THEN
    PERFORM webhook_of_run(p_new->'webhook', new.consumer_id, new.id, p_now);
  END IF;
  outcome := 'started';
  execution_id := new.id;
  remaining := ledger.available(wallet);
END $$;

-- A developer's free test. The same test while one is alive, or just ended, joins it: the
-- studio retries a failed call by itself (contract K11).
CREATE OR REPLACE FUNCTION execution_start_test(
  p_new jsonb, p_fingerprint bytea, p_quota int, p_now timestamptz,
  OUT outcome text, OUT execution_id uuid
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  new executions := jsonb_populate_record(NULL::executions, p_new);
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(new.developer_id::text, 7310002));
  SELECT e.id INTO execution_id FROM executions e
   WHERE e.kind = 'TEST' AND e.developer_id = new.developer_id
     AND e.test_fingerprint = p_fingerprint
     AND (e.phase <> 'done' OR e.finished_at > p_now - interval '5 seconds')
   ORDER BY e.created_at DESC, e.id LIMIT 1;
  IF FOUND THEN
    outcome := 'replayed';
    RETURN;
  END IF;
  IF (SELECT count(*) FROM executions e
       WHERE e.kind = 'TEST' AND e.developer_id = new.developer_id
         AND e.created_at >= date_trunc('day', p_now)) >= p_quota THEN
    RAISE EXCEPTION 'test quota used' USING ERRCODE = 'P0429';
  END IF;
  new.test_fingerprint := p_fingerprint;
  PERFORM execution_insert(new, p_now);
  outcome := 'started';
  execution_id := new.id;
END $$;

-- Hop 5, the one way to end a run: state, money and announcement change together or not at all.
CREATE OR REPLACE FUNCTION execution_finish(
  p_execution uuid, p_status text, p_output jsonb, p_code text, p_message text, p_now timestamptz
) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  e executions;
BEGIN
  UPDATE executions SET
    status = p_status, phase = 'done', finished_at = p_now, next_check_at = NULL, throttled = false,
    output = p_output, error_code = p_code, error_message = p_message,
    gpu_micro_usd = coalesce(gpu_micro_usd, 0)
      + coalesce(execution_ms, 0) * gpu_micro_usd_per_second / 1000
   WHERE id = p_execution RETURNING * INTO e;
  IF e.kind = 'RUN' THEN
    IF p_status = 'COMPLETED' THEN
      PERFORM ledger.capture(e.id, e.developer_id, e.fee, p_now);
      PERFORM earning_record(e.id, e.developer_id, e.tars_model_id, e.price, e.fee, p_now);
      INSERT INTO run_tally (tars_model_id) VALUES (e.tars_model_id);
    ELSE
      PERFORM ledger.release(e.id, p_now);
      IF e.api_key_id IS NOT NULL THEN
        PERFORM key_unspend(e.api_key_id, e.price, e.created_at);
      END IF;
    END IF;
  END IF;
  UPDATE attempts SET want_cancel = true
   WHERE execution_id = e.id AND state IN ('intent', 'submitted', 'lost');
  DELETE FROM outbox WHERE topic = 'submit' AND ref = e.id;
  INSERT INTO announcements (execution_id, status, at) VALUES (e.id, p_status, p_now);
  IF e.kind = 'RUN' THEN
    PERFORM event_add(e.consumer_id, NULL, 'run.' || lower(p_status), e.id, jsonb_strip_nulls(
      jsonb_build_object('id', e.id, 'status', p_status, 'errorCode', p_code,
                         'errorMessage', p_message)), p_now);
  END IF;
END $$;

-- What follows a failed attempt: another one after a pause, or the end.
CREATE OR REPLACE FUNCTION execution_retry_or_finish(
  e executions, p_retryable boolean, p_pause interval, p_code text, p_message text,
  p_now timestamptz
) RETURNS text LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF e.cancel_requested THEN
    PERFORM execution_finish(e.id, 'CANCELLED', NULL, NULL, NULL, p_now);
    RETURN 'cancelled';
  END IF;
  IF p_retryable AND e.attempts < 3 THEN
    UPDATE executions SET phase = 'waiting', next_check_at = p_now + p_pause,
                          delay_ms = NULL, execution_ms = NULL, progress = NULL,
                          gpu_micro_usd = coalesce(gpu_micro_usd, 0)
                            + coalesce(execution_ms, 0) * gpu_micro_usd_per_second / 1000
     WHERE id = e.id;
    INSERT INTO outbox (topic, ref, due_at) VALUES ('submit', e.id, p_now + p_pause)
    ON CONFLICT DO NOTHING;
    RETURN 'retry';
  END IF;
  PERFORM execution_finish(e.id, 'FAILED', NULL, p_code, p_message, p_now);
  RETURN 'failed';
END $$;

-- Hop 2, first half: the attempt exists before RunPod is called. True for exactly one caller. A
-- consumer who has as many runs going as there may be waits: the end of one of them, or the sweep,
-- begins the next.
CREATE OR REPLACE FUNCTION execution_begin_attempt(
  p_execution uuid, p_attempt uuid, p_token_hash bytea, p_now timestamptz,
  OUT begun boolean, OUT runpod_endpoint_id text, OUT payload jsonb,
  OUT queue_seconds int, OUT execution_timeout_seconds int, OUT deadline_at timestamptz
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  e executions;
BEGIN
  begun := false;
  SELECT * INTO e FROM executions WHERE id = p_execution FOR UPDATE;
  -- Past its life an execution is ended by the next tick, not sent to a GPU once more.
  IF e.phase IS DISTINCT FROM 'waiting' OR e.next_check_at > p_now OR e.attempts >= 3
     OR e.expires_at <= p_now THEN
    RETURN;
  END IF;
  IF e.kind = 'RUN' THEN
    PERFORM pg_advisory_xact_lock(hashtextextended(e.consumer_id::text, 7310004));
    -- A place is kept for each that has waited longer; one more than they need is for whoever comes.
    IF (SELECT count(*) FROM executions x
         WHERE x.consumer_id = e.consumer_id AND x.phase IN ('submitting', 'watching'))
       + (SELECT count(*) FROM executions x
           WHERE x.consumer_id = e.consumer_id AND x.throttled AND x.phase = 'waiting'
             AND (x.created_at, x.id) < (e.created_at, e.id))
       >= (SELECT concurrent_runs FROM consumer_limits) THEN
      UPDATE executions SET throttled = true, next_check_at = p_now + interval '60 seconds'
       WHERE id = e.id;
      RETURN;
    END IF;
  END IF;
  deadline_at := p_now + execution_attempt_allowance(e);
  INSERT INTO attempts (id, execution_id, n, runpod_endpoint_id, token_hash, begun_at, deadline_at)
  VALUES (p_attempt, e.id, e.attempts + 1, e.runpod_endpoint_id, p_token_hash, p_now, deadline_at);
  UPDATE executions SET phase = 'submitting', attempts = attempts + 1, throttled = false,
                        next_check_at = p_now + execution_submit_grace()
   WHERE id = e.id;
  DELETE FROM outbox WHERE topic = 'submit' AND ref = e.id;
  begun := true;
  runpod_endpoint_id := e.runpod_endpoint_id;
  payload := e.payload;
  queue_seconds := e.queue_seconds;
  execution_timeout_seconds := e.execution_timeout_seconds;
END $$;

-- Locks an execution, then one of its attempts, always in this order.
CREATE OR REPLACE FUNCTION execution_lock(p_attempt uuid, OUT e executions, OUT a attempts)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  SELECT x.* INTO e FROM executions x
   WHERE x.id = (SELECT execution_id FROM attempts WHERE id = p_attempt) FOR UPDATE;
  SELECT y.* INTO a FROM attempts y WHERE y.id = p_attempt FOR UPDATE;
END $$;

-- Hop 2, second half: RunPod answered with a job id.
CREATE OR REPLACE FUNCTION execution_submitted(
  p_attempt uuid, p_job text, p_now timestamptz
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  pair record;
  e executions;
  a attempts;
BEGIN
  SELECT * INTO pair FROM execution_lock(p_attempt);
  e := pair.e;
  a := pair.a;
  IF a.id IS NULL THEN
    RETURN 'unknown';
  END IF;
  -- The answer to our own call is the authority on the job's id; a callback's was a hint.
  UPDATE attempts SET
    job_id = CASE WHEN state IN ('intent', 'submitted', 'lost') THEN p_job ELSE job_id END,
    state = CASE state WHEN 'intent' THEN 'submitted' ELSE state END,
    want_cancel = want_cancel OR (state IN ('intent', 'submitted', 'lost')
      AND (e.phase = 'done' OR state = 'lost' OR e.cancel_requested))
   WHERE id = p_attempt;
  IF e.phase = 'submitting' AND a.n = e.attempts THEN
    UPDATE executions SET
      phase = 'watching',
      status = CASE status WHEN 'PENDING' THEN 'QUEUED' ELSE status END,
      next_check_at = CASE WHEN e.cancel_requested THEN p_now
                           ELSE least(p_now + interval '10 seconds', e.cancel_at) END
     WHERE id = e.id;
    RETURN 'watching';
  END IF;
  RETURN 'noted';
END $$;

-- Hop 2, refused: RunPod certainly did not take the job.
CREATE OR REPLACE FUNCTION execution_rejected(
  p_attempt uuid, p_retryable boolean, p_code text, p_message text, p_error text,
  p_now timestamptz
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  pair record;
  e executions;
  a attempts;
  effect text;
BEGIN
  SELECT * INTO pair FROM execution_lock(p_attempt);
  e := pair.e;
  a := pair.a;
  IF e.phase IS NOT DISTINCT FROM 'done' OR a.state IS DISTINCT FROM 'intent'
     OR a.n <> e.attempts THEN
    RETURN 'stale';
  END IF;
  UPDATE attempts SET state = 'failed', ended_at = p_now, error = p_error WHERE id = p_attempt;
  effect := execution_retry_or_finish(
    e, p_retryable, interval '5 seconds' * 2 ^ e.attempts, p_code, p_message, p_now);
  PERFORM execution_note(e.id, p_attempt, 'rejected', effect, p_now);
  RETURN effect;
END $$;

-- The next look at a running job: 10, 16, 26, 41, 66, 105, 120, 120 .. seconds.
CREATE OR REPLACE FUNCTION execution_poll_pause(p_polls int) RETURNS interval
LANGUAGE sql IMMUTABLE AS $$
  SELECT least(interval '10 seconds' * 1.6 ^ least(p_polls, 8), interval '120 seconds')
$$;

-- How long the job waited and ran, whatever came of it.
CREATE OR REPLACE FUNCTION execution_took(
  p_execution uuid, p_details jsonb, p_now timestamptz
) RETURNS void LANGUAGE sql SET search_path = public, pg_temp AS $$
  UPDATE executions SET
    delay_ms = (p_details->>'delayMs')::bigint,
    execution_ms = (p_details->>'executionMs')::bigint,
    started_at = coalesce(started_at, p_now - make_interval(
      secs => (p_details->>'executionMs')::bigint / 1000.0))
   WHERE id = p_execution;
$$;

-- Hops 3 and 4: what `GET /status` said of an attempt's job, however we came to ask.
-- p_seen: QUEUED, RUNNING, COMPLETED, FAILED, TIMED_OUT, CANCELLED or GONE.
-- Answers the effect, when to look next (NULL: never), and whether other jobs of it may run.
CREATE OR REPLACE FUNCTION execution_observe(
  p_attempt uuid, p_job text, p_seen text, p_source text, p_details jsonb, p_now timestamptz,
  OUT effect text, OUT next_check_at timestamptz, OUT leftovers boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  pair record;
  e executions;
  a attempts;
  seen text := p_seen;
  ended text;
BEGIN
  leftovers := false;
  SELECT * INTO pair FROM execution_lock(p_attempt);
  e := pair.e;
  a := pair.a;
  -- A job belongs to one attempt: whoever names another one's would be given its result.
  IF a.id IS NULL OR a.job_id <> p_job OR EXISTS (
       SELECT 1 FROM attempts x WHERE x.runpod_endpoint_id = a.runpod_endpoint_id
                                  AND x.job_id = p_job AND x.id <> a.id) THEN
    PERFORM execution_note(e.id, p_attempt, p_source || ':' || p_seen, 'mismatch', p_now)
      WHERE a.id IS NOT NULL;
    effect := 'mismatch';
    RETURN;
  END IF;
  UPDATE attempts SET job_id = p_job, polls = polls + 1, looked_at = p_now WHERE id = p_attempt;
  IF seen IN ('QUEUED', 'RUNNING') AND p_now > a.deadline_at THEN
    seen := 'TIMED_OUT';
    UPDATE attempts SET want_cancel = true WHERE id = p_attempt;
  END IF;
  ended := CASE seen WHEN 'COMPLETED' THEN 'completed' WHEN 'FAILED' THEN 'failed'
                     WHEN 'TIMED_OUT' THEN 'timed_out' WHEN 'CANCELLED' THEN 'cancelled'
                     WHEN 'GONE' THEN 'lost' END;
  IF seen IN ('QUEUED', 'RUNNING') THEN
    e.progress := (p_details->>'progress')::smallint; -- what is told now, if anything
    effect := execution_alive(e, a, seen, p_now);
    next_check_at := (SELECT x.next_check_at FROM executions x WHERE x.id = e.id);
    RETURN;
  END IF;
  UPDATE attempts SET
    state = CASE WHEN state IN ('intent', 'submitted', 'lost') THEN ended ELSE state END,
    want_cancel = want_cancel AND seen IN ('TIMED_OUT', 'GONE'), -- it may come into sight again
    ended_at = coalesce(ended_at, p_now), error = coalesce(error, p_details->>'error')
   WHERE id = p_attempt;
  IF e.phase = 'done' THEN
    effect := 'late';
  ELSIF seen = 'COMPLETED' THEN -- any attempt of a live execution may win, even a lost one
    PERFORM execution_took(e.id, p_details, p_now);
    PERFORM execution_finish(e.id, 'COMPLETED', p_details->'output', NULL, NULL, p_now);
    effect := 'completed';
  ELSIF a.n <> e.attempts OR a.state NOT IN ('intent', 'submitted') THEN
    effect := 'stale';
  ELSIF seen = 'TIMED_OUT' AND NOT e.cancel_requested THEN -- it would time out again
    PERFORM execution_took(e.id, p_details, p_now);
    PERFORM execution_finish(e.id, 'TIMED_OUT', NULL, p_details->>'code',
                             p_details->>'message', p_now);
    effect := 'timed_out';
  ELSE
    PERFORM execution_took(e.id, p_details, p_now);
    effect := execution_retry_or_finish(
      e, coalesce((p_details->>'retryable')::boolean, true),
      interval '5 seconds' * 2 ^ e.attempts, p_details->>'code', p_details->>'message', p_now);
  END IF;
  PERFORM execution_note(e.id, p_attempt, p_source || ':' || p_seen, effect, p_now);
  SELECT x.next_check_at INTO next_check_at FROM executions x WHERE x.id = e.id;
  leftovers := effect IN ('completed', 'failed', 'timed_out', 'cancelled')
               AND (e.attempts > 1 OR seen = 'TIMED_OUT');
END $$;

-- The job is alive: show it, and look again after a growing pause.
CREATE OR REPLACE FUNCTION execution_alive(
  e executions, a attempts, p_seen text, p_now timestamptz
) RETURNS text LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF e.phase = 'done' THEN
    RETURN 'late';
  END IF;
  IF a.n <> e.attempts OR e.phase NOT IN ('submitting', 'watching') THEN
    RETURN 'stale';
  END IF;
  UPDATE attempts SET state = 'submitted' WHERE id = a.id AND state = 'intent';
  UPDATE executions SET
    phase = 'watching',
    status = CASE WHEN execution_status_rank(p_seen) > execution_status_rank(status)
                  THEN p_seen ELSE status END,
    started_at = CASE WHEN p_seen = 'RUNNING' THEN coalesce(started_at, p_now)
                      ELSE started_at END,
    progress = CASE WHEN p_seen = 'RUNNING' THEN coalesce(e.progress, progress) END,
    -- A cancel that RunPod did not get is sent again at each look: soon, then.
    next_check_at = least(p_now + execution_poll_pause(a.polls),
                          a.deadline_at + interval '1 second',
                          CASE WHEN e.cancel_requested THEN p_now + interval '30 seconds'
                               WHEN e.cancel_at IS NOT NULL
                               THEN greatest(e.cancel_at, p_now + interval '10 seconds') END)
   WHERE id = e.id;
  IF p_seen = 'RUNNING' AND e.status <> 'RUNNING' AND e.kind = 'RUN' THEN
    PERFORM event_add(e.consumer_id, NULL, 'run.started', e.id, jsonb_build_object(
      'id', e.id, 'status', 'RUNNING'), p_now);
  END IF;
  RETURN 'alive';
END $$;

-- A callback told of a result that takes long to fetch: the next look is due at once.
CREATE OR REPLACE FUNCTION execution_hasten(p_execution uuid, p_now timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  UPDATE executions SET next_check_at = p_now
   WHERE id = p_execution AND phase = 'watching' AND next_check_at > p_now;
$$;

-- Staff give a completed run's price back, whatever became of the credits meanwhile; once each.
CREATE OR REPLACE FUNCTION run_refund(
  p_reference uuid, p_execution uuid, p_actor text, p_reason text, p_now timestamptz
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  e executions;
  earlier jsonb;
BEGIN
  SELECT * INTO e FROM executions WHERE id = p_execution AND kind = 'RUN' FOR UPDATE;
  IF e.id IS NULL THEN
    RAISE EXCEPTION 'there is no run %', p_execution USING ERRCODE = 'P0404';
  ELSIF staff_did(p_reference, 'refund run', p_execution, '{}') THEN
    RETURN false;
  ELSIF e.status <> 'COMPLETED' THEN
    RAISE EXCEPTION 'run % was not charged', p_execution USING ERRCODE = 'P0410';
  END IF;
  earlier := ledger.standing(e.consumer_id);
  IF NOT earning_reverse(e.id, e.consumer_id, p_now) THEN
    RETURN false;
  END IF;
  PERFORM staff_note(p_actor, 'refund run', e.id, p_reason, p_reference, '{}', earlier,
                     ledger.standing(e.consumer_id), p_now);
  RETURN true;
END $$;

-- Whether some of its text was handed out already: it would be had for nothing if the run were
-- cancelled now.
CREATE OR REPLACE FUNCTION execution_has_told(p_execution uuid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT EXISTS (SELECT 1 FROM run_chunks WHERE execution_id = p_execution);
$$;

-- A consumer's wish to stop: 'cancelled', 'requested', 'ended', 'told' (its text is out) or 'unknown'.
CREATE OR REPLACE FUNCTION execution_cancel(
  p_execution uuid, p_consumer uuid, p_now timestamptz
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  e executions;
BEGIN
  SELECT * INTO e FROM executions
   WHERE id = p_execution AND consumer_id = p_consumer FOR UPDATE;
  IF e.id IS NULL THEN
    RETURN 'unknown';
  END IF;
  IF e.phase = 'done' THEN
    RETURN CASE e.status WHEN 'CANCELLED' THEN 'cancelled' ELSE 'ended' END;
  END IF;
  IF e.phase = 'waiting' THEN
    PERFORM execution_finish(e.id, 'CANCELLED', NULL, NULL, NULL, p_now);
    PERFORM execution_note(e.id, NULL, 'cancel', 'cancelled', p_now);
    RETURN 'cancelled';
  END IF;
  IF execution_has_told(e.id) THEN
    RETURN 'told';
  END IF;
  UPDATE executions SET cancel_requested = true, next_check_at = p_now WHERE id = e.id;
  PERFORM execution_note(e.id, NULL, 'cancel', 'requested', p_now);
  RETURN 'requested';
END $$;

-- The hard end: whatever RunPod or anybody else does, nothing lives past `expires_at`.
CREATE OR REPLACE FUNCTION execution_expire(
  e executions, p_attempt uuid, p_now timestamptz
) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF e.cancel_requested THEN
    PERFORM execution_finish(e.id, 'CANCELLED', NULL, NULL, NULL, p_now);
  ELSE
    PERFORM execution_finish(
      e.id, 'TIMED_OUT', NULL, 'EXECUTION_EXPIRED',
      'The run took too long and was stopped. Your credits are back.', p_now);
  END IF;
  PERFORM execution_note(e.id, p_attempt, 'tick', 'expired', p_now);
END $$;

-- Ends all whose life is over, in one statement and without a word to anybody outside: a sweep
-- that dies in its second step has done this. One at a time, so that two never lock the same
-- wallets in different orders. An execution that cannot be ended does not keep the others alive;
-- the sweep meets it again when it moves what is overdue, and says why. Answers how many ended.
CREATE OR REPLACE FUNCTION executions_expire(p_limit int, p_now timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  e executions;
  ended bigint := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(7310003);
  FOR e IN SELECT * FROM executions WHERE phase <> 'done' AND expires_at <= p_now
            ORDER BY expires_at, id LIMIT p_limit FOR UPDATE SKIP LOCKED
  LOOP
    BEGIN
      PERFORM execution_expire(
        e, (SELECT a.id FROM attempts a WHERE a.execution_id = e.id AND a.n = e.attempts), p_now);
      ended := ended + 1;
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'execution % cannot be ended: %', e.id, SQLERRM;
    END;
  END LOOP;
  RETURN ended;
END $$;

-- What is due on an execution now: the action that a worker must take outside the transaction.
-- 'none' (it has ended), 'early' (nothing before next_check_at), 'submit', 'look' (with the
-- attempt), or how it ended here.
CREATE OR REPLACE FUNCTION execution_tick(
  p_execution uuid, p_now timestamptz,
  OUT action text, OUT attempt_id uuid, OUT next_check_at timestamptz
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  e executions;
  a attempts;
BEGIN
  action := 'none';
  SELECT * INTO e FROM executions WHERE id = p_execution FOR UPDATE;
  IF e.id IS NULL OR e.phase = 'done' THEN
    RETURN;
  END IF;
  SELECT * INTO a FROM attempts x WHERE x.execution_id = e.id AND x.n = e.attempts;
  IF e.cancel_at <= p_now AND NOT e.cancel_requested AND NOT execution_has_told(e.id) THEN
    PERFORM execution_note(e.id, a.id, 'cancel-after', 'requested', p_now);
    UPDATE executions x SET cancel_requested = true, next_check_at = p_now WHERE x.id = e.id
    RETURNING * INTO e;
  END IF;
  IF p_now >= e.expires_at THEN -- whatever the next look was to be
    PERFORM execution_expire(e, a.id, p_now);
    action := 'expired';
  ELSIF e.phase = 'waiting' AND e.cancel_requested THEN
    PERFORM execution_finish(e.id, 'CANCELLED', NULL, NULL, NULL, p_now);
    action := 'cancelled';
  ELSIF e.next_check_at > p_now THEN
    action := 'early';
    next_check_at := e.next_check_at;
  ELSIF e.phase = 'waiting' THEN
    action := 'submit';
  ELSIF e.phase = 'submitting' AND a.job_id IS NULL THEN
    IF p_now < a.begun_at + execution_submit_grace() THEN
      action := 'early';
      next_check_at := a.begun_at + execution_submit_grace();
      UPDATE executions x SET next_check_at = execution_tick.next_check_at WHERE x.id = e.id;
      RETURN;
    END IF;
    -- An orphan job may exist, bounded by its ttl. If it reports it still wins.
    UPDATE attempts SET state = 'lost' WHERE id = a.id;
    action := execution_retry_or_finish(
      e, true, interval '0', 'NO_ANSWER',
      'The GPU service did not answer. Your credits are back.', p_now);
    PERFORM execution_note(e.id, a.id, 'tick', 'lost:' || action, p_now);
    action := CASE action WHEN 'retry' THEN 'submit' ELSE action END;
  ELSE
    -- The lease: a poller that dies is replaced after 30 seconds.
    UPDATE executions x SET next_check_at = p_now + interval '30 seconds' WHERE x.id = e.id;
    action := 'look';
    attempt_id := a.id;
  END IF;
END $$;

-- A wanted cancel was sent, or there is nothing left to send it to.
CREATE OR REPLACE FUNCTION execution_cancel_sent(p_attempt uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  UPDATE attempts SET want_cancel = false WHERE id = p_attempt;
$$;

-- Cancels that can never be sent: no job id came, and the job's own ttl is long over.
CREATE OR REPLACE FUNCTION execution_cancels_forget(p_now timestamptz) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH old AS (SELECT id FROM attempts
                WHERE want_cancel AND deadline_at < p_now - interval '1 hour'
                  FOR UPDATE SKIP LOCKED), -- whoever ends an execution locks its attempts too
       gone AS (UPDATE attempts SET want_cancel = false WHERE id IN (SELECT id FROM old)
                RETURNING 1)
  SELECT count(*) FROM gone;
$$;

-- Idempotency keys are remembered for a day, and as long as the run they started is alive.
CREATE OR REPLACE FUNCTION idempotency_keys_forget(p_now timestamptz) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH gone AS (DELETE FROM idempotency_keys k WHERE k.created_at < p_now - interval '1 day'
                   AND NOT EXISTS (SELECT FROM executions e
                                    WHERE e.id = k.execution_id AND e.phase <> 'done')
                RETURNING 1)
  SELECT count(*) FROM gone;
$$;

-- What follows once a run has changed: deliveries that nobody was asked to make yet ('deliver'), and
-- when it has ended the run of the same consumer that waited longest for its turn ('submit').
CREATE OR REPLACE FUNCTION execution_aftermath(p_execution uuid, p_now timestamptz)
RETURNS TABLE (what text, ref text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  e executions;
  room bigint;
BEGIN
  RETURN QUERY SELECT 'deliver', min(d.id)::text FROM deliveries d
    WHERE d.state = 'waiting' AND d.execution_id = p_execution AND d.attempts = 0
    GROUP BY d.endpoint_id;
  SELECT * INTO e FROM executions x WHERE x.id = p_execution;
  IF e.phase = 'done' AND e.consumer_id IS NOT NULL THEN
    -- As many as there is room for, and one at least: whom an earlier end should have called is
    -- called by this one if that was lost.
    room := greatest(1, (SELECT concurrent_runs FROM consumer_limits)
      - (SELECT count(*) FROM executions z WHERE z.consumer_id = e.consumer_id
            AND z.phase IN ('submitting', 'watching')));
    RETURN QUERY WITH next AS MATERIALIZED (
        SELECT y.id FROM executions y WHERE y.consumer_id = e.consumer_id AND y.throttled
           AND y.phase = 'waiting' AND y.next_check_at > p_now
         ORDER BY y.created_at, y.id LIMIT room FOR UPDATE SKIP LOCKED)
      UPDATE executions x SET next_check_at = p_now FROM next WHERE x.id = next.id
      RETURNING 'submit', x.id::text;
  END IF;
END $$;

-- One reader at a time takes a run's stream from RunPod, for ten seconds; true for that one.
CREATE OR REPLACE FUNCTION run_stream_lease(p_execution uuid, p_holder uuid, p_now timestamptz)
RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH taken AS (
    INSERT INTO run_streams AS s (execution_id, holder, leased_until)
    VALUES (p_execution, p_holder, p_now + interval '10 seconds')
    ON CONFLICT (execution_id) DO UPDATE
       SET holder = p_holder, leased_until = p_now + interval '10 seconds'
     WHERE s.holder = p_holder OR s.leased_until <= p_now
    RETURNING 1)
  SELECT EXISTS (SELECT 1 FROM taken);
$$;

CREATE OR REPLACE FUNCTION run_chunks_add(
  p_execution uuid, p_attempt int, p_pieces jsonb, p_now timestamptz
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  INSERT INTO run_chunks (execution_id, n, attempt, content, at)
  SELECT p_execution, (SELECT coalesce(max(c.n), 0) FROM run_chunks c
                        WHERE c.execution_id = p_execution) + piece.n, p_attempt, piece.content, p_now
    FROM jsonb_array_elements_text(p_pieces) WITH ORDINALITY AS piece (content, n)
  ON CONFLICT DO NOTHING;
$$;

-- A consumer who leaves takes everything that is theirs along but the books: words, keys, webhooks,
-- inputs and results. Refused while a run goes on (P0409) or a purchase may still be paid (P0412), and
-- where credits are left that were not given up (P0413, DETAIL = how many micro-credits). Whoever owes
-- credits or has a frozen wallet would be rid of both by leaving (P0414). Answers the micro-credits
-- given up. Lock order: the consumer, the wallet.
CREATE OR REPLACE FUNCTION consumer_erase(
  p_consumer uuid, p_give_up boolean, p_now timestamptz
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  left_over bigint;
BEGIN
  PERFORM 1 FROM consumers WHERE id = p_consumer FOR UPDATE;
  IF EXISTS (SELECT 1 FROM executions WHERE consumer_id = p_consumer AND phase <> 'done') THEN
    RAISE EXCEPTION 'runs are going on' USING ERRCODE = 'P0409';
  ELSIF EXISTS (SELECT 1 FROM purchases WHERE consumer_id = p_consumer AND status = 'pending') THEN
    RAISE EXCEPTION 'a purchase may still be paid' USING ERRCODE = 'P0412';
  END IF;
  left_over := ledger.available(ledger.locked_wallet(p_consumer));
  IF EXISTS (SELECT 1 FROM ledger.wallet_freeze WHERE consumer_id = p_consumer AND lifted_at IS NULL)
     OR EXISTS (SELECT 1 FROM ledger.balance
                 WHERE owner_id = p_consumer AND kind = 'receivable' AND posted <> 0) THEN
    RAISE EXCEPTION 'something is owed' USING ERRCODE = 'P0414';
  END IF;
  IF left_over > 0 AND NOT p_give_up THEN
    RAISE EXCEPTION 'credits are left' USING ERRCODE = 'P0413', DETAIL = left_over::text;
  END IF;
  PERFORM requests_erase('users:' || firebase_uid) FROM consumers WHERE id = p_consumer;
  UPDATE consumers SET firebase_uid = 'erased:' || id, email = NULL, email_verified = false,
    name = NULL, avatar_url = NULL, suspended_at = p_now, updated_at = p_now WHERE id = p_consumer;
  PERFORM keys_erase(p_consumer, NULL, p_now);
  PERFORM webhooks_erase(p_consumer, NULL, p_now);
  UPDATE reports SET details = NULL WHERE consumer_id = p_consumer;
  DELETE FROM run_chunks WHERE execution_id IN
    (SELECT id FROM executions WHERE consumer_id = p_consumer);
  PERFORM set_config('tarsify.erasing', 'on', true);
  UPDATE executions SET inputs = '{}', payload = '{}',
    output = CASE WHEN output IS NOT NULL THEN '{"erased": true}'::jsonb END
   WHERE consumer_id = p_consumer;
  PERFORM set_config('tarsify.erasing', '', true);
  RETURN left_over;
END $$;

-- The same for a developer: what they sold stays sold. Refused while runs of their models go on or a
-- payout is under way (P0409), where earnings are left that were not given up (P0413), and where more
-- was taken back than they had (P0414).
CREATE OR REPLACE FUNCTION developer_erase(
  p_developer uuid, p_give_up boolean, p_now timestamptz
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  left_over bigint;
BEGIN
  PERFORM 1 FROM developers WHERE id = p_developer FOR UPDATE;
  UPDATE tars_models SET status = 'ARCHIVED' WHERE developer_id = p_developer
     AND status = 'PUBLISHED';
  IF EXISTS (SELECT 1 FROM executions WHERE developer_id = p_developer AND phase <> 'done')
     OR EXISTS (SELECT 1 FROM payouts WHERE developer_id = p_developer
                   AND status IN ('pending', 'processing')) THEN
    RAISE EXCEPTION 'runs or payouts are under way' USING ERRCODE = 'P0409';
  END IF;
  left_over := ledger.unreserved(ledger.locked_payable(p_developer));
  IF left_over < 0 THEN
    RAISE EXCEPTION 'something is owed' USING ERRCODE = 'P0414';
  END IF;
  IF left_over > 0 AND NOT p_give_up THEN
    RAISE EXCEPTION 'earnings are left' USING ERRCODE = 'P0413', DETAIL = left_over::text;
  END IF;
  PERFORM requests_erase('developers:' || firebase_uid) FROM developers WHERE id = p_developer;
  UPDATE developers SET firebase_uid = 'erased:' || id, email = NULL, email_verified = false,
    display_name = NULL, bio = NULL, avatar_url = NULL, payout_email = NULL, country = NULL,
    suspended_at = p_now, updated_at = p_now WHERE id = p_developer;
  PERFORM keys_erase(NULL, p_developer, p_now);
  PERFORM webhooks_erase(NULL, p_developer, p_now);
  RETURN left_over;
END $$;

CREATE OR REPLACE FUNCTION run_chunks_forget(p_now timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  DELETE FROM run_chunks WHERE at < p_now - interval '1 day';
  DELETE FROM run_streams WHERE leased_until < p_now - interval '1 day';
$$;

CREATE OR REPLACE VIEW execution_violation AS
  SELECT 'I6 ended execution with a wrong hold' AS rule, e.id::text AS what, e.price AS difference
    FROM executions e LEFT JOIN ledger.hold h ON h.id = e.id
   WHERE e.kind = 'RUN' AND h.state IS DISTINCT FROM
         CASE WHEN e.phase <> 'done' THEN 'held' WHEN e.status = 'COMPLETED' THEN 'captured'
              ELSE 'released' END
  UNION ALL
  SELECT 'I6 hold without execution or payout', h.id::text, h.amount
    FROM ledger.hold h LEFT JOIN executions e ON e.id = h.id LEFT JOIN payouts p ON p.id = h.id
   WHERE e.id IS NULL AND p.id IS NULL
  UNION ALL
  SELECT 'I6 payout with a wrong hold', p.id::text, p.amount_cents
    FROM payouts p LEFT JOIN ledger.hold h ON h.id = p.id
   WHERE h.state IS DISTINCT FROM
         CASE WHEN p.transfer_id IS NOT NULL THEN 'captured'
              WHEN p.status = 'failed' THEN 'released' ELSE 'held' END
  UNION ALL
  SELECT 'I6 completed execution without its earning', e.id::text, e.price
    FROM executions e LEFT JOIN earnings x ON x.execution_id = e.id
   WHERE e.kind = 'RUN'
     AND (e.status = 'COMPLETED') <> ((x.gross, x.fee) IS NOT DISTINCT FROM (e.price, e.fee))
  UNION ALL
  SELECT 'I6 ended execution without one announcement', e.id::text, count(a.id)
    FROM executions e LEFT JOIN announcements a ON a.execution_id = e.id
   GROUP BY e.id, e.phase HAVING count(a.id) <> (e.phase = 'done')::int
  UNION ALL
  SELECT 'I6 completed execution with another split', e.id::text, e.fee - coalesce(t.amount, 0)
    FROM executions e LEFT JOIN ledger.transfer t ON t.ref = e.id AND t.kind = 'capture_platform'
   WHERE e.kind = 'RUN' AND e.status = 'COMPLETED' AND e.fee <> coalesce(t.amount, 0)
  UNION ALL
  SELECT 'I7 hold open past its time', h.id::text, h.amount
    FROM ledger.hold h WHERE h.state = 'held' AND h.expires_at < now() - interval '5 minutes';

REVOKE ALL ON FUNCTION
  execution_note, execution_insert, execution_start, execution_start_test, execution_finish,
  execution_retry_or_finish, execution_begin_attempt, execution_lock, execution_submitted,
  execution_rejected, execution_took, execution_observe, execution_alive, execution_hasten,
  execution_cancel, run_refund, execution_expire, executions_expire, execution_tick, execution_cancel_sent,
  execution_cancels_forget, idempotency_keys_forget, execution_aftermath, run_stream_lease,
  run_chunks_add, run_chunks_forget, consumer_erase, developer_erase, execution_has_told
FROM PUBLIC;
GRANT SELECT ON execution_violation TO tarsify_app;
GRANT EXECUTE ON FUNCTION
  execution_start, execution_start_test, execution_begin_attempt, execution_submitted,
  execution_rejected, execution_observe, execution_hasten, execution_cancel, run_refund,
  executions_expire, execution_tick, execution_cancel_sent, execution_cancels_forget,
  idempotency_keys_forget, execution_aftermath, run_stream_lease, run_chunks_add, run_chunks_forget,
  consumer_erase, developer_erase
TO tarsify_app;
