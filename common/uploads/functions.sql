-- Uploads that can be used no more; the bucket's own rule has deleted their files by then.
CREATE OR REPLACE FUNCTION uploads_forget(p_now timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  DELETE FROM uploads WHERE id IN (
    SELECT id FROM uploads WHERE expires_at < p_now - interval '7 days' LIMIT 5000);
$$;
REVOKE ALL ON FUNCTION uploads_forget FROM PUBLIC;
GRANT EXECUTE ON FUNCTION uploads_forget TO tarsify_app;
