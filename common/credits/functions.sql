-- The only way to move credits. Amounts are micro-credits (1 credit = 1,000,000).
-- Every function may be repeated: a second call with the same reference changes nothing.
-- Lock order everywhere: execution, attempt, hold, guarded accounts ascending, then inserts.
-- SQLSTATEs raised: P0402 not enough credits (DETAIL = available), P0403 wallet frozen (DETAIL = why),
-- P0404 no such hold, 23505 the same reference with other values.

-- The account of an owner, opened when it is first needed.
CREATE OR REPLACE FUNCTION ledger.account_of(p_kind text, p_owner uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  found_id bigint;
BEGIN
  SELECT id INTO found_id FROM account
   WHERE kind = p_kind AND owner_id IS NOT DISTINCT FROM p_owner;
  IF found_id IS NULL THEN
    INSERT INTO account (unit, class, kind, owner_id)
    VALUES (CASE WHEN p_kind IN ('stripe_clearing', 'deferred_revenue', 'stripe_fee',
                                 'dispute_fee', 'treasury') THEN 'UUSD' ELSE 'UCR' END,
            CASE p_kind WHEN 'wallet' THEN 'guarded' ELSE 'deferred' END, p_kind, p_owner)
    ON CONFLICT DO NOTHING RETURNING id INTO found_id;
  END IF;
  IF found_id IS NULL THEN -- another transaction opened it between the two statements
    SELECT id INTO found_id FROM account
     WHERE kind = p_kind AND owner_id IS NOT DISTINCT FROM p_owner;
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

-- What is on an account in this snapshot, with what is not folded yet.
CREATE OR REPLACE FUNCTION ledger.posted(p_account bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
  SELECT s.posted + coalesce((SELECT sum(d.amount) FROM delta d WHERE d.account_id = p_account), 0)
         ::bigint
    FROM account_state s WHERE s.account_id = p_account;
$$;

-- Takes the wallet's lock, under which all that concerns a consumer's debt happens too.
CREATE OR REPLACE FUNCTION ledger.locked_wallet(p_consumer uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  wallet bigint := account_of('wallet', p_consumer);
BEGIN
  PERFORM 1 FROM account_state WHERE account_id = wallet FOR UPDATE;
  RETURN wallet;
END $$;

-- Gives a consumer credits out of p_from: what they owe is settled first (leg 0), the rest goes
-- into the wallet (leg 1).
CREATE OR REPLACE FUNCTION ledger.receive(
  p_kind text, p_ref uuid, p_from bigint, p_consumer uuid, p_amount bigint, p_now timestamptz
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  wallet bigint := locked_wallet(p_consumer);
  debtor bigint := (SELECT id FROM account WHERE kind = 'receivable' AND owner_id = p_consumer);
  settled bigint := coalesce(least(p_amount, greatest(0, -posted(debtor))), 0);
BEGIN
  IF settled > 0 THEN
    PERFORM post(p_kind, p_ref, 0::smallint, p_from, debtor, settled, p_now);
  END IF;
  IF p_amount > settled THEN
    PERFORM post(p_kind, p_ref, 1::smallint, p_from, wallet, p_amount - settled, p_now);
  END IF;
END $$;

-- Settles what a consumer owes out of credits that have become free, e.g. by a released hold: a
-- debt cannot be sat out by holding the credits meanwhile. p_ref names what freed them.
CREATE OR REPLACE FUNCTION ledger.settle_debt(p_ref uuid, p_consumer uuid, p_now timestamptz)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  debtor bigint;
  wallet bigint;
  settled bigint;
BEGIN
  SELECT id INTO debtor FROM account WHERE kind = 'receivable' AND owner_id = p_consumer;
  IF debtor IS NULL THEN -- never owed anything: the way of nearly all, one look at an index
    RETURN;
  END IF;
  wallet := locked_wallet(p_consumer);
  settled := least(greatest(0, available(wallet)), greatest(0, -posted(debtor)));
  IF settled > 0 THEN
    PERFORM post('debt_settled', p_ref, 0::smallint, wallet, debtor, settled, p_now);
  END IF;
END $$;

-- Takes credits back from a consumer into p_to: from the wallet what is there and not held
-- (leg 1); the rest becomes a debt (leg 0), so that the wallet is never below zero.
CREATE OR REPLACE FUNCTION ledger.take(
  p_kind text, p_ref uuid, p_to bigint, p_consumer uuid, p_amount bigint, p_now timestamptz
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  wallet bigint := locked_wallet(p_consumer);
  taken bigint := least(p_amount, greatest(0, available(wallet)));
BEGIN
  IF taken > 0 THEN
    PERFORM post(p_kind, p_ref, 1::smallint, wallet, p_to, taken, p_now);
  END IF;
  IF p_amount > taken THEN
    PERFORM post(p_kind, p_ref, 0::smallint, account_of('receivable', p_consumer), p_to,
                 p_amount - taken, p_now);
  END IF;
END $$;

-- Moves real money between two of our own accounts. p_amount in cents.
CREATE OR REPLACE FUNCTION ledger.post_usd(
  p_kind text, p_ref uuid, p_leg smallint, p_debit text, p_credit text, p_cents bigint,
  p_now timestamptz
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
  SELECT post(p_kind, p_ref, p_leg, account_of(p_debit, NULL), account_of(p_credit, NULL),
              p_cents * 10000, p_now);
$$;

-- How a consumer stands, for the record of what staff did.
CREATE OR REPLACE FUNCTION ledger.standing(p_consumer uuid) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
BEGIN
  RETURN (SELECT jsonb_build_object('posted', coalesce(max(b.posted) FILTER (WHERE kind = 'wallet'), 0),
                            'pending', coalesce(max(b.pending) FILTER (WHERE kind = 'wallet'), 0),
                            'owed', coalesce(-max(b.posted) FILTER (WHERE kind = 'receivable'), 0),
                            'frozen', coalesce(bool_or(b.frozen), false))
    FROM balance b WHERE b.owner_id = p_consumer AND b.kind IN ('wallet', 'receivable'));
END $$;

-- Gives credits that nobody paid for, once per reference.
CREATE OR REPLACE FUNCTION ledger.grant_credits(
  p_ref uuid, p_consumer uuid, p_amount bigint, p_actor text, p_reason text, p_now timestamptz
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  earlier jsonb := standing(p_consumer);
BEGIN
  IF NOT post('grant', p_ref, 0::smallint, account_of('promotion', NULL),
              account_of('wallet', p_consumer), p_amount, p_now) THEN
    RETURN false;
  END IF;
  PERFORM settle_debt(p_ref, p_consumer, p_now);
  PERFORM public.staff_note(
    p_actor, 'grant credits', p_consumer, p_reason, p_ref,
    jsonb_build_object('microCredits', p_amount), earlier, standing(p_consumer), p_now);
  RETURN true;
END $$;

-- Puts a balance right by hand, up or down, once per reference. Down never goes below what is
-- free: a correction must not make a debt.
CREATE OR REPLACE FUNCTION ledger.adjust(
  p_ref uuid, p_consumer uuid, p_amount bigint, p_actor text, p_reason text, p_now timestamptz
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  wallet bigint := locked_wallet(p_consumer);
  earlier jsonb := standing(p_consumer);
  other bigint := account_of('adjustment', NULL);
  moved boolean;
BEGIN
  IF p_amount < 0 AND available(wallet) < -p_amount
     AND NOT EXISTS (SELECT 1 FROM transfer WHERE kind = 'adjustment' AND ref = p_ref) THEN
    RAISE EXCEPTION 'not enough credits' USING ERRCODE = 'P0402', DETAIL = available(wallet)::text;
  END IF;
  moved := CASE WHEN p_amount > 0 THEN
    post('adjustment', p_ref, 0::smallint, other, wallet, p_amount, p_now)
  ELSE
    post('adjustment', p_ref, 0::smallint, wallet, other, -p_amount, p_now)
  END;
  IF moved THEN
    PERFORM settle_debt(p_ref, p_consumer, p_now);
    PERFORM public.staff_note(
      p_actor, 'adjust credits', p_consumer, p_reason, p_ref,
      jsonb_build_object('microCredits', p_amount), earlier, standing(p_consumer), p_now);
  END IF;
  RETURN moved;
END $$;

-- Freezes a wallet for one cause: nothing new is started from it, open holds are left to finish.
CREATE OR REPLACE FUNCTION ledger.freeze_wallet(
  p_consumer uuid, p_cause text, p_ref uuid, p_reason text, p_now timestamptz
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  wallet bigint := locked_wallet(p_consumer);
BEGIN
  INSERT INTO wallet_freeze (consumer_id, cause, ref, reason, frozen_at)
  VALUES (p_consumer, p_cause, p_ref, p_reason, p_now) ON CONFLICT (cause, ref) DO NOTHING;
  UPDATE account_state SET frozen = true
   WHERE account_id = wallet AND EXISTS (
     SELECT 1 FROM wallet_freeze WHERE consumer_id = p_consumer AND lifted_at IS NULL);
END $$;

-- Lifts one cause, or with p_ref NULL all of that cause; the wallet thaws with the last.
CREATE OR REPLACE FUNCTION ledger.thaw_wallet(
  p_consumer uuid, p_cause text, p_ref uuid, p_now timestamptz
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  wallet bigint := locked_wallet(p_consumer);
BEGIN
  UPDATE wallet_freeze SET lifted_at = p_now
   WHERE consumer_id = p_consumer AND lifted_at IS NULL
     AND (p_cause IS NULL OR cause = p_cause) AND (p_ref IS NULL OR ref = p_ref);
  UPDATE account_state SET frozen = EXISTS (
    SELECT 1 FROM wallet_freeze WHERE consumer_id = p_consumer AND lifted_at IS NULL)
   WHERE account_id = wallet;
END $$;

-- Staff freeze or thaw a wallet, once per reference. Thawing lifts every cause.
CREATE OR REPLACE FUNCTION ledger.staff_freeze(
  p_ref uuid, p_consumer uuid, p_frozen boolean, p_actor text, p_reason text, p_now timestamptz
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  action text := CASE WHEN p_frozen THEN 'freeze wallet' ELSE 'unfreeze wallet' END;
  earlier jsonb;
BEGIN
  PERFORM locked_wallet(p_consumer);
  earlier := standing(p_consumer);
  IF public.staff_did(p_ref, action, p_consumer, '{}') THEN
    RETURN false;
  END IF;
  IF p_frozen THEN
    PERFORM freeze_wallet(p_consumer, 'staff', p_ref, p_reason, p_now);
  ELSE
    PERFORM thaw_wallet(p_consumer, NULL, NULL, p_now);
  END IF;
  PERFORM public.staff_note(p_actor, action, p_consumer, p_reason, p_ref, '{}', earlier,
                            standing(p_consumer), p_now);
  RETURN true;
END $$;

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
      RAISE EXCEPTION 'the wallet is frozen' USING ERRCODE = 'P0403', DETAIL = coalesce(
        (SELECT f.reason FROM wallet_freeze f JOIN account a ON a.owner_id = f.consumer_id
          WHERE a.id = p_account AND f.lifted_at IS NULL ORDER BY f.id LIMIT 1), '');
    END IF;
    RAISE EXCEPTION 'not enough credits' USING ERRCODE = 'P0402',
      DETAIL = (state.posted - state.pending)::text;
  END IF;
  INSERT INTO hold (id, account_id, amount, expires_at, created_at)
  VALUES (p_id, p_account, p_amount, p_expires_at, p_now);
  RETURN 'held';
END $$;

-- Takes the lock under which what a developer can be paid is reckoned and reserved.
CREATE OR REPLACE FUNCTION ledger.locked_payable(p_developer uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  payable bigint := account_of('developer_payable', p_developer);
BEGIN
  PERFORM 1 FROM account_state WHERE account_id = payable FOR UPDATE;
  RETURN payable;
END $$;

-- What is on an account and not reserved, in the caller's snapshot, with what is not folded yet.
CREATE OR REPLACE FUNCTION ledger.unreserved(p_account bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
  SELECT posted(p_account) - pending FROM account_state WHERE account_id = p_account;
$$;

-- Reserves a payout under its id. The account is deferred, so no constraint guards it: the caller
-- holds its lock and has looked at what there is.
CREATE OR REPLACE FUNCTION ledger.hold_payable(
  p_id uuid, p_payable bigint, p_amount bigint, p_expires_at timestamptz, p_now timestamptz
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
  UPDATE account_state SET pending = pending + p_amount WHERE account_id = p_payable;
  INSERT INTO hold (id, account_id, amount, expires_at, created_at)
  VALUES (p_id, p_payable, p_amount, p_expires_at, p_now);
$$;

-- Takes a held amount whole to p_to: a payout that was sent.
CREATE OR REPLACE FUNCTION ledger.capture_to(
  p_id uuid, p_kind text, p_to bigint, p_now timestamptz
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
  step record;
BEGIN
  SELECT * INTO step FROM resolve(p_id, 'captured', p_now);
  IF step.outcome = 'captured' THEN
    UPDATE account_state SET pending = pending - (step.resolved).amount
     WHERE account_id = (step.resolved).account_id;
    PERFORM post(p_kind, p_id, 1::smallint, (step.resolved).account_id, p_to,
                 (step.resolved).amount, p_now);
  END IF;
  RETURN step.outcome;
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
    PERFORM settle_debt(p_id, owner_id, p_now) FROM account
      WHERE id = (step.resolved).account_id AND kind = 'wallet';
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
  SELECT 'I5 captured hold without exact split', h.id::text,
         (h.captured - coalesce(sum(t.amount), 0))::bigint
    FROM ledger.hold h LEFT JOIN ledger.transfer t
      ON t.ref = h.id AND t.debit_id = h.account_id
     AND t.kind IN ('capture_developer', 'capture_platform', 'payout')
   GROUP BY h.id HAVING h.captured <> coalesce(sum(t.amount), 0)
  UNION ALL
  SELECT 'I5 capture without a hold', t.ref::text, t.amount
    FROM ledger.transfer t LEFT JOIN ledger.hold h ON h.id = t.ref
   WHERE t.kind IN ('capture_developer', 'capture_platform') AND h.id IS NULL;

-- Privileges: the application calls whole steps, never the parts they are made of.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
GRANT SELECT ON ledger.balance, ledger.violation TO tarsify_app;
GRANT EXECUTE ON FUNCTION
  ledger.grant_credits(uuid, uuid, bigint, text, text, timestamptz),
  ledger.adjust(uuid, uuid, bigint, text, text, timestamptz),
  ledger.staff_freeze(uuid, uuid, boolean, text, text, timestamptz),
  ledger.fold()
TO tarsify_app;
