-- Writes down what a member of staff did, in the transaction of the deed itself.
CREATE OR REPLACE FUNCTION staff_note(
  p_actor text, p_action text, p_subject uuid, p_reason text, p_reference uuid, p_request jsonb,
  p_before jsonb, p_after jsonb, p_now timestamptz
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  INSERT INTO staff_actions (at, actor, action, subject, reason, reference, request, before, after)
  VALUES (p_now, p_actor, p_action, p_subject, p_reason, p_reference, p_request, p_before, p_after);
$$;

-- Whether a reference was used already for this very deed; for another one it is refused (23505).
CREATE OR REPLACE FUNCTION staff_did(
  p_reference uuid, p_action text, p_subject uuid, p_request jsonb
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  earlier staff_actions;
BEGIN
  SELECT * INTO earlier FROM staff_actions WHERE reference = p_reference;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  IF (earlier.action, earlier.subject, earlier.request)
     IS DISTINCT FROM (p_action, p_subject, p_request) THEN
    RAISE EXCEPTION 'reference % was used for another deed', p_reference
      USING ERRCODE = 'unique_violation';
  END IF;
  RETURN true;
END $$;

REVOKE ALL ON FUNCTION staff_did FROM PUBLIC;
REVOKE ALL ON FUNCTION staff_note FROM PUBLIC;
GRANT EXECUTE ON FUNCTION staff_note TO tarsify_app;
