-- Outbox rows due now, claimed by moving their time; what remains has by definition not been done.
CREATE OR REPLACE FUNCTION outbox_claim(p_older_than interval, p_limit int, p_now timestamptz)
RETURNS TABLE (ref uuid) LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH claimed AS (
    UPDATE outbox o SET relays = relays + 1,
                        due_at = p_now + least(interval '15 seconds' * 2 ^ least(relays, 8),
                                               interval '10 minutes')
     WHERE o.id IN (SELECT id FROM outbox WHERE due_at <= p_now - p_older_than
                     ORDER BY due_at, id LIMIT p_limit FOR UPDATE SKIP LOCKED)
    RETURNING o.id, o.ref)
  SELECT c.ref FROM claimed c ORDER BY c.id; -- an UPDATE answers in no order of its own
$$;

REVOKE ALL ON FUNCTION outbox_claim FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_claim TO tarsify_app;
