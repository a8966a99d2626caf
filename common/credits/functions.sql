-- The only way to move credits. Amounts are micro-credits (1 credit = 1,000,000).
-- Every function may be repeated: a second call with the same reference changes nothing.
-- Lock order everywhere: execution, attempt, hold, guarded accounts ascending, then inserts.
-- SQLSTATEs raised: P0402 not enough credits (DETAIL = available), P0403 wallet frozen,
-- P0404 no such hold, 23505 the same reference with other values.

-- The account of an owner, opened when it is first needed.
CREATE OR REPLACE FUNCTION ledger.account_of(p_kind text, p_owner uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  found_id bigint;
BEGIN
  SELECT id INTO found_id FROM account
   WHERE kind = p_kind AND owner_id IS NOT DISTINCT FROM p_owner AND unit = 'UCR';
  IF found_id IS NULL THEN
    INSERT INTO account (unit, class, kind, owner_id)
    VALUES ('UCR', CASE p_kind WHEN 'wallet' THEN 'guarded' ELSE 'deferred' END, p_kind, p_owner)
    ON CONFLICT DO NOTHING RETURNING id INTO found_id;
  END IF;
  IF found_id IS NULL THEN -- another transaction opened it between the two statements
    SELECT id INTO found_id FROM account
     WHERE kind = p_kind AND owner_id IS NOT DISTINCT FROM p_owner AND unit = 'UCR';
  END IF;
  RETURN found_id;
END $$;

-- Applies one side of a transfer: at once on a guarded account, as a delta on a deferred one,
-- so that runs of different consumers share no lock.
CREATE OR REPLACE FUNCTION ledger.apply(p_account bigint, p_amount bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
BEGIN
  IF (SELECT class FROM account WHERE id = p_account) = 'guarded' THEN
    UPDATE account_state SET posted = posted + p_amount WHERE account_id = p_account;
  ELSE
    INSERT INTO delta (account_id, amount) VALUES (p_account, p_amount);
  END IF;
END $$;

-- Moves an amount between two accounts. True when it moved now, false when it had moved before.
CREATE OR REPLACE FUNCTION ledger.post(
  p_kind text, p_ref uuid, p_leg smallint,
  p_debit bigint, p_credit bigint, p_amount bigint, p_now timestamptz
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  earlier transfer;
BEGIN
  INSERT INTO transfer (kind, ref, leg, debit_id, credit_id, unit, amount, at)
  SELECT p_kind, p_ref, p_leg, p_debit, p_credit, unit, p_amount, p_now
    FROM account WHERE id = p_debit
  ON CONFLICT (kind, ref, leg) DO NOTHING;
  IF NOT FOUND THEN
    SELECT * INTO earlier FROM transfer WHERE kind = p_kind AND ref = p_ref AND leg = p_leg;
    IF (earlier.debit_id, earlier.credit_id, earlier.amount)
       IS DISTINCT FROM (p_debit, p_credit, p_amount) THEN
      RAISE EXCEPTION 'reference % was posted with other values', p_ref
        USING ERRCODE = 'unique_violation';
    END IF;
    RETURN false;
  END IF;
  PERFORM 1 FROM account_state
    WHERE account_id IN (p_debit, p_credit) AND class = 'guarded'
    ORDER BY account_id FOR UPDATE;
  PERFORM apply(p_debit, -p_amount);
  PERFORM apply(p_credit, p_amount);
  RETURN true;
END $$;

-- Gives credits that nobody paid for.
CREATE OR REPLACE FUNCTION ledger.grant_credits(
  p_ref uuid, p_consumer uuid, p_amount bigint, p_now timestamptz
) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
  SELECT post('grant', p_ref, 0::smallint,
              account_of('promotion', NULL), account_of('wallet', p_consumer), p_amount, p_now);
$$;

-- Reserves an amount on a wallet under the id of what it pays for: 'held' or 'exists'.
CREATE OR REPLACE FUNCTION ledger.place_hold(
  p_id uuid, p_account bigint, p_amount bigint, p_expires_at timestamptz, p_now timestamptz
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  earlier hold;
  state account_state;
BEGIN
  SELECT * INTO earlier FROM hold WHERE id = p_id;
  IF FOUND THEN
    IF (earlier.account_id, earlier.amount) IS DISTINCT FROM (p_account, p_amount) THEN
      RAISE EXCEPTION 'hold % exists with other values', p_id USING ERRCODE = 'unique_violation';
    END IF;
    RETURN 'exists';
  END IF;
  -- Lock, check and write are one statement, and it comes before the insert: the foreign key's
  -- share lock taken first would cost three times the rate on a busy wallet.
  UPDATE account_state SET pending = pending + p_amount
   WHERE account_id = p_account AND NOT frozen AND posted - pending >= p_amount;
  IF NOT FOUND THEN
    SELECT * INTO state FROM account_state WHERE account_id = p_account;
    IF state.frozen THEN
      RAISE EXCEPTION 'the wallet is frozen' USING ERRCODE = 'P0403';
    END IF;
    RAISE EXCEPTION 'not enough credits' USING ERRCODE = 'P0402',
      DETAIL = (state.posted - state.pending)::text;
  END IF;
  INSERT INTO hold (id, account_id, amount, expires_at, created_at)
  VALUES (p_id, p_account, p_amount, p_expires_at, p_now);
  RETURN 'held';
END $$;

-- What can be spent from a guarded account now.
CREATE OR REPLACE FUNCTION ledger.available(p_account bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
  SELECT posted - pending FROM account_state WHERE account_id = p_account;
$$;

-- Resolves a hold: 'captured', 'released', or what it had been resolved to before.
CREATE OR REPLACE FUNCTION ledger.resolve(
  p_id uuid, p_state text, p_now timestamptz, OUT outcome text, OUT resolved ledger.hold
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
BEGIN
  UPDATE hold SET state = p_state, resolved_at = p_now,
                  captured = CASE p_state WHEN 'captured' THEN amount ELSE 0 END
   WHERE id = p_id AND state = 'held' RETURNING * INTO resolved;
  IF FOUND THEN
    outcome := p_state;
    RETURN;
  END IF;
  SELECT * INTO resolved FROM hold WHERE id = p_id;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is no hold %', p_id USING ERRCODE = 'P0404';
  END IF;
  outcome := 'already_' || resolved.state;
END $$;

-- Takes a held amount and splits it: the platform gets p_fee, the developer the rest, so that
-- the parts always sum to the whole.
CREATE OR REPLACE FUNCTION ledger.capture(
  p_id uuid, p_developer uuid, p_fee bigint, p_now timestamptz
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  step record;
  whole bigint;
  wallet bigint;
  account bigint;
BEGIN
  SELECT * INTO step FROM resolve(p_id, 'captured', p_now);
  IF step.outcome <> 'captured' THEN
    RETURN step.outcome;
  END IF;
  whole := (step.resolved).captured;
  IF (p_fee BETWEEN 0 AND whole) IS NOT TRUE THEN
    RAISE EXCEPTION 'a fee of % is no part of %', p_fee, whole USING ERRCODE = 'check_violation';
  END IF;
  wallet := (step.resolved).account_id;
  UPDATE account_state SET posted = posted - whole, pending = pending - whole
   WHERE account_id = wallet;
  IF whole - p_fee > 0 THEN
    account := account_of('developer_payable', p_developer);
    INSERT INTO transfer (kind, ref, debit_id, credit_id, unit, amount, at)
    VALUES ('capture_developer', p_id, wallet, account, 'UCR', whole - p_fee, p_now);
    INSERT INTO delta VALUES (account, whole - p_fee);
  END IF;
  IF p_fee > 0 THEN
    account := account_of('platform_fee', NULL);
    INSERT INTO transfer (kind, ref, debit_id, credit_id, unit, amount, at)
    VALUES ('capture_platform', p_id, wallet, account, 'UCR', p_fee, p_now);
    INSERT INTO delta VALUES (account, p_fee);
  END IF;
  RETURN 'captured';
END $$;

-- Gives a held amount back; no posting, since nothing had moved.
CREATE OR REPLACE FUNCTION ledger.release(p_id uuid, p_now timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  step record;
BEGIN
  SELECT * INTO step FROM resolve(p_id, 'released', p_now);
  IF step.outcome = 'released' THEN
    UPDATE account_state SET pending = pending - (step.resolved).amount
     WHERE account_id = (step.resolved).account_id;
  END IF;
  RETURN step.outcome;
END $$;

-- Adds waiting deltas to the balances of deferred accounts; answers how many there were.
-- DELETE .. RETURNING counts each once, in whatever order their writers committed.
CREATE OR REPLACE FUNCTION ledger.fold() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  folded bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(7310001); -- one at a time
  WITH gone AS (DELETE FROM delta RETURNING account_id, amount),
       sums AS (SELECT account_id, sum(amount)::bigint AS amount, count(*) AS rows
                  FROM gone GROUP BY account_id),
       done AS (UPDATE account_state a SET posted = a.posted + s.amount
                  FROM sums s WHERE a.account_id = s.account_id RETURNING s.rows)
  SELECT coalesce(sum(rows), 0) INTO folded FROM done;
  RETURN folded;
END $$;

-- Balances including what is not folded yet, in one snapshot.
CREATE OR REPLACE VIEW ledger.balance AS
SELECT a.id, a.kind, a.owner_id, a.unit, a.class, s.pending, s.frozen,
       s.posted + coalesce((SELECT sum(d.amount) FROM ledger.delta d
                             WHERE d.account_id = a.id), 0)::bigint AS posted
  FROM ledger.account a JOIN ledger.account_state s ON s.account_id = a.id;

-- What must always be empty. I1..I5 are the ledger's own; executions add I6 and I7.
CREATE OR REPLACE VIEW ledger.violation AS
  SELECT 'I1 balance differs from postings' AS rule, b.id::text AS what,
         (b.posted - coalesce(c.total, 0) + coalesce(d.total, 0))::bigint AS difference
    FROM ledger.balance b
    LEFT JOIN (SELECT credit_id, sum(amount) AS total FROM ledger.transfer GROUP BY 1) c
      ON c.credit_id = b.id
    LEFT JOIN (SELECT debit_id, sum(amount) AS total FROM ledger.transfer GROUP BY 1) d
      ON d.debit_id = b.id
   WHERE b.posted <> coalesce(c.total, 0) - coalesce(d.total, 0)
  UNION ALL
  SELECT 'I2 unit does not sum to zero', unit, sum(posted)::bigint
    FROM ledger.balance GROUP BY unit HAVING sum(posted) <> 0
  UNION ALL
  SELECT 'I3 pending differs from open holds', s.account_id::text,
         (s.pending - coalesce(h.total, 0))::bigint
    FROM ledger.account_state s
    LEFT JOIN (SELECT account_id, sum(amount) AS total FROM ledger.hold
                WHERE state = 'held' GROUP BY 1) h ON h.account_id = s.account_id
   WHERE s.pending <> coalesce(h.total, 0)
  UNION ALL
  SELECT 'I4 overdrawn', account_id::text, posted - pending
    FROM ledger.account_state WHERE class = 'guarded' AND posted - pending < 0
  UNION ALL
  SELECT 'I5 captured hold without exact split', coalesce(h.id, t.ref)::text,
         (coalesce(h.captured, 0) - coalesce(t.total, 0))::bigint
    FROM ledger.hold h
    FULL JOIN (SELECT ref, sum(amount) AS total FROM ledger.transfer
                WHERE kind IN ('capture_developer', 'capture_platform') GROUP BY 1) t
      ON t.ref = h.id
   WHERE coalesce(h.captured, 0) <> coalesce(t.total, 0);

-- Privileges: the application calls whole steps, never the parts they are made of.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
GRANT SELECT ON ledger.balance, ledger.violation TO tarsify_app;
GRANT EXECUTE ON FUNCTION
  ledger.grant_credits(uuid, uuid, bigint, timestamptz),
  ledger.fold()
TO tarsify_app;
