-- Real money in and out. What Stripe says is observed, never believed from an event's body: every
-- step takes the present state of an object at Stripe and moves our books towards it, so that
-- repeated and reordered events have one effect or none. Cents are US cents; credits are counted
-- in micro-credits (1 credit = 1 cent = 1,000,000).
-- Lock order: purchase, payout or earning; refund or dispute; then as in the ledger.
-- SQLSTATEs raised: those of the ledger; P0404 no such row, P0410 not in a state for this,
-- P0411 more than is left (DETAIL = what is), P0422 key used for another request,
-- P0431 a new account has bought enough for a day (DETAIL = how much it may),
-- P0451 no payout account, P0452 less than the least payout (DETAIL = the least).

CREATE OR REPLACE FUNCTION micro_credits(p_cents bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT p_cents * 1000000 $$;

-- ---------------------------------------------------------------- differences between two books

-- p_day: the day that was compared, where books are compared by the day.
CREATE OR REPLACE FUNCTION difference_found(
  p_kind text, p_what text, p_ours bigint, p_theirs bigint, p_now timestamptz,
  p_day date DEFAULT NULL
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  INSERT INTO reconciliation_differences AS d (kind, what, ours, theirs, found_at, seen_at, day)
  VALUES (p_kind, p_what, p_ours, p_theirs, p_now, p_now, p_day)
  ON CONFLICT (kind, what) WHERE cleared_at IS NULL
  DO UPDATE SET ours = p_ours, theirs = p_theirs, seen_at = p_now;
$$;

-- What was not seen again since p_since is no difference any more; those of other days stay.
CREATE OR REPLACE FUNCTION differences_clear(
  p_kind text, p_since timestamptz, p_now timestamptz, p_day date DEFAULT NULL
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  UPDATE reconciliation_differences SET cleared_at = p_now
   WHERE kind = p_kind AND cleared_at IS NULL AND seen_at < p_since
     AND day IS NOT DISTINCT FROM p_day;
$$;

-- Staff have put right what no later comparison clears by itself; once per reference. P0404 where none
-- is open. p_subject: the difference as staff know it.
CREATE OR REPLACE FUNCTION difference_close(
  p_id bigint, p_subject uuid, p_ref uuid, p_actor text, p_reason text, p_now timestamptz
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  d reconciliation_differences;
BEGIN
  SELECT * INTO d FROM reconciliation_differences WHERE id = p_id FOR UPDATE;
  IF staff_did(p_ref, 'close difference', p_subject, '{}') THEN
    RETURN false;
  ELSIF d.id IS NULL OR d.cleared_at IS NOT NULL THEN
    RAISE EXCEPTION 'no difference % is open', p_id USING ERRCODE = 'P0404';
  END IF;
  UPDATE reconciliation_differences SET cleared_at = p_now WHERE id = p_id;
  PERFORM staff_note(p_actor, 'close difference', p_subject, p_reason, p_ref, '{}', to_jsonb(d),
                     NULL, p_now);
  RETURN true;
END $$;

-- ---------------------------------------------------------------- events

-- The event with what it did, in the transaction of its effect. p_event: id, type, accountId.
CREATE OR REPLACE FUNCTION stripe_event_note(
  p_event jsonb, p_subject text, p_effect text, p_now timestamptz
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  INSERT INTO stripe_events (id, type, account_id, subject, effect, received_at)
  SELECT p_event->>'id', p_event->>'type', p_event->>'accountId', p_subject, p_effect, p_now
   WHERE p_event IS NOT NULL
  ON CONFLICT (id) DO NOTHING;
$$;

CREATE OR REPLACE FUNCTION stripe_event_seen(p_event jsonb) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT EXISTS (SELECT 1 FROM stripe_events WHERE id = p_event->>'id');
$$;

-- ---------------------------------------------------------------- purchases

-- The order, before Stripe hears of it; the same key is the same order.
CREATE OR REPLACE FUNCTION purchase_open(
  p_id uuid, p_consumer uuid, p_cents int, p_key text, p_now timestamptz
) RETURNS SETOF purchases LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  earlier purchases;
  limits consumer_limits;
BEGIN
  INSERT INTO purchases (id, consumer_id, amount_cents, idempotency_key, created_at, next_check_at)
  VALUES (p_id, p_consumer, p_cents, p_key, p_now, p_now + interval '2 minutes')
  ON CONFLICT (consumer_id, idempotency_key) DO NOTHING;
  IF NOT FOUND THEN
    SELECT * INTO earlier FROM purchases WHERE consumer_id = p_consumer AND idempotency_key = p_key;
    IF earlier.amount_cents <> p_cents THEN
      RAISE EXCEPTION 'the key was used for another purchase' USING ERRCODE = 'P0422';
    END IF;
    RETURN NEXT earlier;
    RETURN;
  END IF;
  -- A stolen card is tried on a new account, and as fast as it goes.
  SELECT * INTO limits FROM consumer_limits;
  PERFORM 1 FROM consumers WHERE id = p_consumer
      AND created_at > p_now - make_interval(days => limits.new_account_days) FOR NO KEY UPDATE;
  IF FOUND AND (SELECT sum(amount_cents) FROM purchases WHERE consumer_id = p_consumer
                   AND status IN ('pending', 'paid') AND created_at > p_now - interval '1 day')
               > limits.new_account_cents_per_day THEN
    RAISE EXCEPTION 'a new account buys no more today' USING ERRCODE = 'P0431',
      DETAIL = limits.new_account_cents_per_day::text;
  END IF;
  RETURN QUERY SELECT * FROM purchases WHERE id = p_id;
END $$;

-- Where the shopper pays. The first session stays: Stripe answers the same one to the same order.
CREATE OR REPLACE FUNCTION purchase_session(
  p_id uuid, p_session text, p_url text, p_now timestamptz
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  UPDATE purchases SET session_id = p_session, checkout_url = p_url
   WHERE id = p_id AND session_id IS NULL AND status = 'pending';
$$;

-- Nothing new at Stripe: look again after half as long as it has been waiting already. An order
-- that never got a session ends after a day.
CREATE OR REPLACE FUNCTION purchase_look_later(p_id uuid, p_now timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  UPDATE purchases SET
    status = CASE WHEN status = 'pending' AND session_id IS NULL
                       AND created_at < p_now - interval '1 day' THEN 'expired' ELSE status END,
    next_check_at = CASE
      WHEN status = 'pending' AND session_id IS NULL AND created_at < p_now - interval '1 day'
      THEN NULL
      ELSE p_now + greatest(interval '2 minutes', (p_now - created_at) / 2) END
   WHERE id = p_id AND next_check_at IS NOT NULL;
$$;

-- A refund of a purchase as Stripe has it now.
CREATE OR REPLACE FUNCTION refund_observe(
  p purchases, p_refund text, p_own uuid, p_cents int, p_status text, p_now timestamptz
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  r purchase_refunds;
  bad boolean := p_status IN ('failed', 'canceled');
  issuance bigint := ledger.account_of('issuance', NULL);
BEGIN
  SELECT * INTO r FROM purchase_refunds x
   WHERE x.purchase_id = p.id AND (x.refund_id = p_refund OR x.id = p_own) FOR UPDATE;
  IF r.id IS NULL THEN -- made by hand at Stripe: the money has left, the credits follow
    INSERT INTO purchase_refunds (id, purchase_id, refund_id, amount_cents, status, reason,
                                  requested_at, settled_at)
    VALUES (gen_random_uuid(), p.id, p_refund, p_cents,
            CASE WHEN bad THEN 'failed' ELSE 'succeeded' END, 'made at Stripe', p_now, p_now)
    RETURNING * INTO r;
    IF bad THEN -- kept, so that an older view of it does not take the credits
      RETURN NULL;
    END IF;
    PERFORM ledger.take('purchase_refund', r.id, issuance, p.consumer_id,
                        micro_credits(p_cents), p_now);
    PERFORM ledger.post_usd('purchase_refund', r.id, 2::smallint, 'deferred_revenue',
                            'stripe_clearing', p_cents, p_now);
    RETURN 'refunded';
  END IF;
  IF r.amount_cents <> p_cents THEN
    PERFORM difference_found('refund differs', r.id::text, r.amount_cents, p_cents, p_now);
    RETURN 'mismatch';
  END IF;
  IF r.status = 'requested' AND NOT bad THEN
    UPDATE purchase_refunds SET status = 'succeeded', refund_id = p_refund, settled_at = p_now,
                                next_try_at = NULL WHERE id = r.id;
    PERFORM ledger.post_usd('purchase_refund', r.id, 2::smallint, 'deferred_revenue',
                            'stripe_clearing', p_cents, p_now);
    RETURN 'refunded';
  ELSIF r.status <> 'failed' AND bad THEN
    IF r.status = 'succeeded' THEN
      PERFORM ledger.post_usd('refund_failed', r.id, 2::smallint, 'stripe_clearing',
                              'deferred_revenue', p_cents, p_now);
    END IF;
    PERFORM refund_give_back(r, p.consumer_id, p_refund, p_now);
    RETURN 'refund failed';
  ELSIF r.status = 'failed' AND r.refund_id IS NULL AND NOT bad THEN
    -- We gave it up and gave the credits back, and yet Stripe made it: they are taken again.
    UPDATE purchase_refunds SET status = 'succeeded', refund_id = p_refund, settled_at = p_now
     WHERE id = r.id;
    PERFORM ledger.take('refund_made', r.id, issuance, p.consumer_id, micro_credits(p_cents), p_now);
    PERFORM ledger.post_usd('purchase_refund', r.id, 2::smallint, 'deferred_revenue',
                            'stripe_clearing', p_cents, p_now);
    RETURN 'refunded';
  END IF;
  RETURN NULL;
END $$;

-- The credits of a refund that did not come about.
CREATE OR REPLACE FUNCTION refund_give_back(
  r purchase_refunds, p_consumer uuid, p_refund text, p_now timestamptz
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  given_back uuid := r.id;
BEGIN
  UPDATE purchase_refunds SET status = 'failed', refund_id = coalesce(refund_id, p_refund),
                              settled_at = p_now, next_try_at = NULL WHERE id = r.id;
  -- Given up, made all the same and failed at last: the second giving back is another posting.
  IF EXISTS (SELECT 1 FROM ledger.transfer WHERE kind = 'refund_made' AND ref = r.id) THEN
    given_back := md5(r.id::text || ':made')::uuid;
  END IF;
  PERFORM ledger.receive('refund_failed', given_back, ledger.account_of('issuance', NULL), p_consumer,
                         micro_credits(r.amount_cents), p_now);
END $$;

-- A dispute as Stripe has it now. While it lasts the wallet is frozen; what the bank takes is
-- taken from the wallet, and what is not there any more is owed.
CREATE OR REPLACE FUNCTION dispute_observe(p purchases, p_seen jsonb, p_now timestamptz)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  d disputes;
  issuance bigint := ledger.account_of('issuance', NULL);
  cents int := (p_seen->>'amountCents')::int;
  fee int := (p_seen->>'feeCents')::int;
  fee_back int := (p_seen->>'feeReturnedCents')::int;
  verdict text := CASE WHEN p_seen->>'status' IN ('won', 'warning_closed', 'prevented') THEN 'won'
                       WHEN p_seen->>'status' = 'lost' THEN 'lost' END;
  effect text;
BEGIN
  INSERT INTO disputes (id, dispute_id, purchase_id, amount_cents, reason, status, opened_at)
  VALUES (gen_random_uuid(), p_seen->>'id', p.id, cents, p_seen->>'reason', 'open', p_now)
  ON CONFLICT (dispute_id) DO NOTHING;
  IF FOUND THEN
    effect := 'disputed';
  END IF;
  SELECT * INTO d FROM disputes WHERE dispute_id = p_seen->>'id' FOR UPDATE;
  IF d.status = 'won' AND (p_seen->>'withdrawn')::boolean
     AND NOT EXISTS (SELECT 1 FROM ledger.transfer WHERE kind = 'dispute' AND ref = d.id) THEN
    -- An inquiry that was closed became a dispute after all.
    UPDATE disputes SET status = 'open', closed_at = NULL WHERE id = d.id RETURNING * INTO d;
    UPDATE ledger.wallet_freeze SET lifted_at = NULL WHERE cause = 'dispute' AND ref = d.id;
  END IF;
  IF d.status = 'open' AND verdict IS DISTINCT FROM 'won' THEN
    PERFORM ledger.freeze_wallet(
      p.consumer_id, 'dispute', d.id,
      'A payment of yours is disputed by your bank. Contact support.', p_now);
  END IF;
  IF d.status = 'open' AND (p_seen->>'withdrawn')::boolean THEN
    -- A bank may take another amount than it announced; that one is what may come back.
    UPDATE disputes SET status = 'withdrawn', amount_cents = cents, fee_cents = fee
     WHERE id = d.id RETURNING * INTO d;
    PERFORM ledger.take('dispute', d.id, issuance, p.consumer_id, micro_credits(cents), p_now);
    PERFORM ledger.post_usd('dispute', d.id, 2::smallint, 'deferred_revenue', 'stripe_clearing',
                            cents, p_now);
    IF fee > 0 THEN
      PERFORM ledger.post_usd('dispute', d.id, 3::smallint, 'dispute_fee', 'stripe_clearing',
                              fee, p_now);
    END IF;
    effect := 'withdrawn';
  END IF;
  IF d.status IN ('withdrawn', 'lost') AND (p_seen->>'reinstated')::boolean THEN
    UPDATE disputes SET status = 'won', closed_at = p_now, fee_returned_cents = fee_back
     WHERE id = d.id RETURNING * INTO d;
    PERFORM ledger.receive('dispute_won', d.id, issuance, p.consumer_id,
                           micro_credits(d.amount_cents), p_now);
    PERFORM ledger.post_usd('dispute_won', d.id, 2::smallint, 'stripe_clearing',
                            'deferred_revenue', d.amount_cents, p_now);
    IF fee_back > 0 THEN
      PERFORM ledger.post_usd('dispute_won', d.id, 3::smallint, 'stripe_clearing', 'dispute_fee',
                              fee_back, p_now);
    END IF;
    effect := 'won';
  ELSIF d.status = 'open' AND verdict = 'won' THEN
    UPDATE disputes SET status = 'won', closed_at = p_now WHERE id = d.id RETURNING * INTO d;
    effect := 'won';
  ELSIF d.status = 'withdrawn' AND verdict = 'lost' THEN
    UPDATE disputes SET status = 'lost', closed_at = p_now WHERE id = d.id RETURNING * INTO d;
    effect := 'lost';
  END IF;
  IF d.status = 'won' THEN
    PERFORM ledger.thaw_wallet(p.consumer_id, 'dispute', d.id, p_now);
  END IF;
  RETURN effect;
END $$;

-- A purchase as Stripe has it now: whether it is paid, its fee, its refunds, its disputes. The
-- one way in which bought credits come to be. Answers what changed: 'paid', 'refunded', ..,
-- 'nothing', 'duplicate' (of an event), 'mismatch' (not our order's money) or 'unknown'.
CREATE OR REPLACE FUNCTION purchase_observe(
  p_purchase uuid, p_seen jsonb, p_event jsonb, p_now timestamptz
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  p purchases;
  effects text[] := '{}';
  part jsonb;
BEGIN
  SELECT * INTO p FROM purchases WHERE id = p_purchase FOR UPDATE;
  IF stripe_event_seen(p_event) THEN
    RETURN 'duplicate';
  ELSIF p.id IS NULL THEN
    PERFORM stripe_event_note(p_event, coalesce(p_purchase::text, ''), 'unknown', p_now);
    RETURN 'unknown';
  END IF;
  IF (p_seen->>'paid')::boolean AND (
       (p_seen->>'amountCents')::bigint <> p.amount_cents OR p_seen->>'currency' <> p.currency
       -- Who pays past our page, and only writes our order's id on the payment, pays no order.
       OR (p.status <> 'paid' AND p_seen->>'sessionId' IS NULL)
       OR p_seen->>'sessionId' <> p.session_id
       OR p_seen->>'paymentIntentId' <> p.payment_intent_id) THEN
    PERFORM difference_found(
      'payment differs from its order',
      concat_ws(' ', p.id, upper(nullif(p_seen->>'currency', p.currency))), p.amount_cents,
      (p_seen->>'amountCents')::bigint, p_now);
    PERFORM stripe_event_note(p_event, p.id::text, 'mismatch', p_now);
    RETURN 'mismatch';
  END IF;
  IF p.status <> 'paid' AND (p_seen->>'paid')::boolean THEN
    UPDATE purchases SET
      status = 'paid', paid_at = p_now, session_id = coalesce(session_id, p_seen->>'sessionId'),
      payment_intent_id = p_seen->>'paymentIntentId', charge_id = p_seen->>'chargeId',
      receipt_url = p_seen->>'receiptUrl', next_check_at = NULL
     WHERE id = p.id RETURNING * INTO p;
    PERFORM ledger.receive('purchase', p.id, ledger.account_of('issuance', NULL), p.consumer_id,
                           micro_credits(p.amount_cents), p_now);
    PERFORM ledger.post_usd('purchase', p.id, 2::smallint, 'stripe_clearing', 'deferred_revenue',
                            p.amount_cents, p_now);
    PERFORM event_add(p.consumer_id, NULL, 'credits.purchased', NULL, jsonb_build_object(
      'id', p.id, 'credits', p.amount_cents, 'amountCents', p.amount_cents), p_now);
    effects := effects || 'paid'::text;
  ELSIF p.status = 'pending' AND p_seen->>'sessionStatus' = 'expired' THEN
    UPDATE purchases SET status = 'expired', next_check_at = NULL WHERE id = p.id
    RETURNING * INTO p;
    effects := effects || 'expired'::text;
  END IF;
  IF p.status = 'paid' THEN
    -- The fee may be known later than the payment; until then the reconciliation asks again.
    IF p.fee_cents IS NULL AND p_seen->>'feeCents' IS NOT NULL THEN
      UPDATE purchases SET fee_cents = (p_seen->>'feeCents')::int WHERE id = p.id
      RETURNING * INTO p;
      IF p.fee_cents > 0 THEN
        PERFORM ledger.post_usd('purchase', p.id, 3::smallint, 'stripe_fee', 'stripe_clearing',
                                p.fee_cents, p_now);
      END IF;
      effects := effects || 'fee'::text;
    END IF;
    FOR part IN SELECT * FROM jsonb_array_elements(p_seen->'refunds') LOOP
      effects := effects || refund_observe(
        p, part->>'id', (part->>'ownId')::uuid, (part->>'amountCents')::int, part->>'status', p_now);
    END LOOP;
    FOR part IN SELECT * FROM jsonb_array_elements(p_seen->'disputes') LOOP
      effects := effects || dispute_observe(p, part, p_now);
    END LOOP;
  END IF;
  effects := array_remove(effects, NULL);
  PERFORM stripe_event_note(p_event, p.id::text,
                            coalesce(nullif(array_to_string(effects, ','), ''), 'nothing'), p_now);
  RETURN coalesce(nullif(array_to_string(effects, ','), ''), 'nothing');
END $$;

-- Staff give money back, once per reference, which is the refund's id. The credits are taken at
-- once, so that nobody spends them meanwhile; if Stripe refuses they come back.
CREATE OR REPLACE FUNCTION refund_request(
  p_id uuid, p_purchase uuid, p_cents int, p_forced boolean, p_actor text, p_reason text,
  p_now timestamptz
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  p purchases;
  asked jsonb := jsonb_build_object('cents', p_cents, 'forced', p_forced);
  rest bigint;
  free bigint;
  earlier jsonb;
BEGIN
  SELECT * INTO p FROM purchases WHERE id = p_purchase FOR UPDATE;
  IF p.id IS NULL THEN
    RAISE EXCEPTION 'there is no purchase %', p_purchase USING ERRCODE = 'P0404';
  ELSIF staff_did(p_id, 'refund purchase', p_purchase, asked) THEN
    RETURN false;
  ELSIF p.status <> 'paid' THEN
    RAISE EXCEPTION 'purchase % was not paid', p_purchase USING ERRCODE = 'P0410';
  END IF;
  rest := p.amount_cents
    - (SELECT coalesce(sum(amount_cents), 0) FROM purchase_refunds
        WHERE purchase_id = p.id AND status <> 'failed')
    - (SELECT coalesce(sum(amount_cents), 0) FROM disputes
        WHERE purchase_id = p.id AND status <> 'won');
  IF coalesce(p_cents, rest) > rest OR rest <= 0 THEN
    RAISE EXCEPTION 'only % cents are left to refund', rest USING ERRCODE = 'P0411',
      DETAIL = rest::text;
  END IF;
  rest := coalesce(p_cents, rest);
  -- Two statements: the second must see what the lock was waited for.
  PERFORM ledger.locked_wallet(p.consumer_id);
  free := ledger.available(ledger.account_of('wallet', p.consumer_id));
  IF NOT p_forced AND free < micro_credits(rest) THEN
    RAISE EXCEPTION 'not enough credits' USING ERRCODE = 'P0402', DETAIL = free::text;
  END IF;
  earlier := ledger.standing(p.consumer_id);
  PERFORM ledger.take('purchase_refund', p_id, ledger.account_of('issuance', NULL), p.consumer_id,
                      micro_credits(rest), p_now);
  INSERT INTO purchase_refunds (id, purchase_id, amount_cents, status, reason, requested_at,
                                next_try_at)
  VALUES (p_id, p.id, rest, 'requested', p_reason, p_now, p_now);
  PERFORM staff_note(p_actor, 'refund purchase', p.id, p_reason, p_id, asked, earlier,
                     ledger.standing(p.consumer_id), p_now);
  RETURN true;
END $$;

-- Leases a refund to whoever talks to Stripe: nothing when another one does.
CREATE OR REPLACE FUNCTION refund_try(
  p_id uuid, p_now timestamptz,
  OUT purchase_id uuid, OUT payment_intent_id text, OUT amount_cents int
) RETURNS SETOF record LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  UPDATE purchase_refunds r SET tried_at = coalesce(r.tried_at, p_now),
                                next_try_at = p_now + interval '2 minutes'
    FROM purchases p
   WHERE r.id = p_id AND p.id = r.purchase_id AND r.next_try_at <= p_now
  RETURNING p.id, p.payment_intent_id, r.amount_cents;
$$;

CREATE OR REPLACE FUNCTION refund_refused(p_id uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  p purchases;
  r purchase_refunds;
BEGIN
  SELECT x.* INTO p FROM purchases x JOIN purchase_refunds y ON y.purchase_id = x.id
   WHERE y.id = p_id FOR UPDATE OF x;
  SELECT * INTO r FROM purchase_refunds WHERE id = p_id AND status = 'requested' FOR UPDATE;
  IF FOUND THEN
    PERFORM refund_give_back(r, p.consumer_id, NULL, p_now);
  END IF;
END $$;

-- ---------------------------------------------------------------- earnings

-- What holds from now on; runs that were charged before keep their day.
CREATE OR REPLACE FUNCTION earning_terms_set(p_clearing_seconds int, p_least_cents int)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  UPDATE earning_terms SET clearing_seconds = p_clearing_seconds,
                           least_payout_cents = p_least_cents;
$$;

-- A captured run's share, in the transaction that captures it.
CREATE OR REPLACE FUNCTION earning_record(
  p_execution uuid, p_developer uuid, p_model uuid, p_gross bigint, p_fee bigint,
  p_now timestamptz
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  INSERT INTO earnings (execution_id, developer_id, tars_model_id, gross, fee, earned_at,
                        available_at)
  SELECT p_execution, p_developer, p_model, p_gross, p_fee, p_now,
         p_now + make_interval(secs => clearing_seconds) FROM earning_terms;
  SELECT event_add(NULL, p_developer, 'earning.created', p_execution, jsonb_build_object(
    'modelId', p_model, 'grossMicroCredits', p_gross, 'feeMicroCredits', p_fee), p_now)
   WHERE p_gross > p_fee;
$$;

-- Gives the consumer a captured run's whole price back and takes both parts of the split. A
-- developer who was paid already owes it: the next payout is that much less. False: done before.
CREATE OR REPLACE FUNCTION earning_reverse(
  p_execution uuid, p_consumer uuid, p_now timestamptz
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  e earnings;
BEGIN
  UPDATE earnings SET reversed_at = p_now
   WHERE execution_id = p_execution AND reversed_at IS NULL RETURNING * INTO e;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  IF e.net > 0 THEN
    PERFORM ledger.receive('run_refund_developer', p_execution,
      ledger.account_of('developer_payable', e.developer_id), p_consumer, e.net, p_now);
  END IF;
  IF e.fee > 0 THEN
    PERFORM ledger.receive('run_refund_platform', p_execution,
      ledger.account_of('platform_fee', NULL), p_consumer, e.fee, p_now);
  END IF;
  RETURN true;
END $$;

CREATE OR REPLACE FUNCTION earnings_uncleared(p_developer uuid, p_now timestamptz) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT coalesce(sum(net), 0)::bigint FROM earnings
   WHERE developer_id = p_developer AND reversed_at IS NULL AND available_at > p_now;
$$;

-- ---------------------------------------------------------------- payouts

-- An account as Stripe has it now. A developer has one that is open; of two that were opened at
-- once the first one counts. One that is closed stays closed: an older look may come late.
CREATE OR REPLACE FUNCTION payout_account_observe(
  p_developer uuid, p_account text, p_details boolean, p_enabled boolean, p_closed boolean,
  p_event jsonb, p_now timestamptz
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  effect text := CASE WHEN p_closed THEN 'account closed' ELSE 'account' END;
BEGIN
  IF stripe_event_seen(p_event) THEN
    RETURN 'duplicate';
  END IF;
  IF NOT p_closed THEN
    INSERT INTO payout_accounts (developer_id, account_id, updated_at)
    VALUES (p_developer, p_account, p_now) ON CONFLICT DO NOTHING;
  END IF;
  UPDATE payout_accounts SET
    details_submitted = p_details, payouts_enabled = p_enabled AND NOT p_closed,
    updated_at = p_now, closed_at = CASE WHEN p_closed THEN p_now END
   WHERE account_id = p_account AND closed_at IS NULL;
  UPDATE developers SET stripe_account_id = (
    SELECT account_id FROM payout_accounts WHERE developer_id = p_developer AND closed_at IS NULL)
   WHERE id = p_developer;
  PERFORM stripe_event_note(p_event, p_account, effect, p_now);
  RETURN effect;
END $$;

-- Reserves what is to be paid: p_cents, or with NULL all that is due. The same key with the same
-- words is the same payout. Whole cents; what is left of a cent stays.
CREATE OR REPLACE FUNCTION payout_request(
  p_id uuid, p_developer uuid, p_cents bigint, p_key text, p_now timestamptz
) RETURNS SETOF payouts LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  earlier payouts;
  account payout_accounts;
  least_cents bigint := (SELECT least_payout_cents FROM earning_terms);
  payable bigint;
  free bigint;
  cents bigint;
BEGIN
  payable := ledger.locked_payable(p_developer);
  SELECT * INTO earlier FROM payouts WHERE developer_id = p_developer AND idempotency_key = p_key;
  IF FOUND THEN
    IF earlier.asked_cents IS DISTINCT FROM p_cents THEN
      RAISE EXCEPTION 'the key was used for another payout' USING ERRCODE = 'P0422';
    END IF;
    RETURN NEXT earlier;
    RETURN;
  END IF;
  SELECT * INTO account FROM payout_accounts
   WHERE developer_id = p_developer AND closed_at IS NULL;
  IF account.payouts_enabled IS NOT TRUE THEN
    RAISE EXCEPTION 'no account to pay to' USING ERRCODE = 'P0451';
  END IF;
  -- One statement, one snapshot: a run that ends or is given back meanwhile counts on both sides
  -- or on neither. In two, it would be owed already and not yet uncleared, and paid too early.
  SELECT ledger.unreserved(payable) - earnings_uncleared(p_developer, p_now) INTO free;
  cents := coalesce(p_cents, greatest(free, 0) / 1000000);
  IF cents < least_cents THEN
    RAISE EXCEPTION 'less than the least payout' USING ERRCODE = 'P0452',
      DETAIL = least_cents::text;
  END IF;
  IF free < micro_credits(cents) THEN
    RAISE EXCEPTION 'more than is due' USING ERRCODE = 'P0411',
      DETAIL = (greatest(free, 0) / 1000000)::text;
  END IF;
  PERFORM ledger.hold_payable(p_id, payable, micro_credits(cents), p_now + interval '30 days',
                              p_now);
  RETURN QUERY INSERT INTO payouts (id, developer_id, account_id, amount_cents, asked_cents,
                                    idempotency_key, requested_at, next_try_at)
  VALUES (p_id, p_developer, account.account_id, cents, p_cents, p_key, p_now, p_now) RETURNING *;
END $$;

-- Leases a payout to whoever talks to Stripe; its first try is remembered, since Stripe's
-- idempotency keys are forgotten after a day. Pauses grow from 1 minute to 1 hour.
CREATE OR REPLACE FUNCTION payout_begin(p_id uuid, p_now timestamptz) RETURNS SETOF payouts
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  UPDATE payouts SET
    status = 'processing', tried_at = coalesce(tried_at, p_now), tries = tries + 1,
    next_try_at = p_now + least(interval '1 minute' * 2 ^ least(tries, 6), interval '1 hour')
   WHERE id = p_id AND next_try_at <= p_now RETURNING *;
$$;

CREATE OR REPLACE FUNCTION payout_sent(p_id uuid, p_transfer text, p_now timestamptz)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  p payouts;
BEGIN
  UPDATE payouts SET status = 'completed', transfer_id = p_transfer, processed_at = p_now,
                     next_try_at = NULL
   WHERE id = p_id AND status IN ('pending', 'processing') RETURNING * INTO p;
  IF NOT FOUND THEN
    -- Given up and yet sent: staff must know, since the amount is due again.
    PERFORM difference_found('payout sent after it failed', p_id::text, 0, amount_cents, p_now)
       FROM payouts WHERE id = p_id AND status = 'failed' AND transfer_id IS NULL;
    RETURN 'ended';
  END IF;
  PERFORM ledger.capture_to(p.id, 'payout', ledger.account_of('redemption', NULL), p_now);
  PERFORM ledger.post_usd('payout', p.id, 2::smallint, 'deferred_revenue', 'stripe_clearing',
                          p.amount_cents, p_now);
  PERFORM event_add(NULL, p.developer_id, 'payout.paid', NULL, jsonb_build_object(
    'id', p.id, 'amountCents', p.amount_cents), p_now);
  RETURN 'sent';
END $$;

-- Stripe certainly did not send it: the money is due again.
CREATE OR REPLACE FUNCTION payout_failed(
  p_id uuid, p_code text, p_message text, p_now timestamptz
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  p payouts;
BEGIN
  UPDATE payouts SET status = 'failed', failure_code = p_code, failure_message = p_message,
                     processed_at = p_now, next_try_at = NULL
   WHERE id = p_id AND status IN ('pending', 'processing') RETURNING * INTO p;
  IF NOT FOUND THEN
    RETURN 'ended';
  END IF;
  PERFORM ledger.release(p_id, p_now);
  PERFORM event_add(NULL, p.developer_id, 'payout.failed', NULL, jsonb_build_object(
    'id', p.id, 'amountCents', p.amount_cents, 'reason', p_message), p_now);
  RETURN 'failed';
END $$;

-- A transfer that came back, in whole or in part; p_total cents in all so far. Once each.
CREATE OR REPLACE FUNCTION payout_returned(
  p_transfer text, p_total bigint, p_event jsonb, p_now timestamptz
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  p payouts;
  more bigint;
  ref uuid;
  effect text := 'nothing';
BEGIN
  SELECT * INTO p FROM payouts WHERE transfer_id = p_transfer FOR UPDATE;
  IF stripe_event_seen(p_event) THEN
    RETURN 'duplicate';
  ELSIF p.id IS NULL THEN
    PERFORM stripe_event_note(p_event, p_transfer, 'unknown', p_now);
    RETURN 'unknown';
  END IF;
  more := p_total - p.returned_cents;
  IF more > 0 THEN
    UPDATE payouts SET
      returned_cents = p_total,
      status = CASE WHEN p_total = amount_cents THEN 'failed' ELSE status END,
      failure_code = 'returned',
      failure_message = 'The transfer came back. The amount is due again.'
     WHERE id = p.id;
    ref := md5(p.id::text || ':' || p_total)::uuid;
    PERFORM ledger.post('payout_returned', ref, 1::smallint, ledger.account_of('redemption', NULL),
      ledger.account_of('developer_payable', p.developer_id), micro_credits(more), p_now);
    PERFORM ledger.post_usd('payout_returned', ref, 2::smallint, 'stripe_clearing',
                            'deferred_revenue', more, p_now);
    PERFORM event_add(NULL, p.developer_id, 'payout.failed', NULL, jsonb_build_object(
      'id', p.id, 'amountCents', more,
      'reason', 'The transfer came back. The amount is due again.'), p_now);
    effect := 'returned';
  END IF;
  PERFORM stripe_event_note(p_event, p.id::text, effect, p_now);
  RETURN effect;
END $$;

-- ---------------------------------------------------------------- Stripe's own books

-- Whether a line of Stripe's books is about a payment, refund, dispute or payout of ours, which
-- our own rows explain. All others (payouts to our bank, top-ups, reserves, Stripe's fees) move
-- money between Stripe and the platform itself.
CREATE OR REPLACE FUNCTION stripe_explained(p_type text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT p_type IN ('charge', 'payment', 'refund', 'payment_refund', 'refund_failure',
                    'payment_failure_refund', 'adjustment', 'transfer', 'transfer_refund',
                    'transfer_cancel', 'transfer_failure')
$$;

-- p_rows: [{id, type, source, netCents, currency, createdAt}]. Dollars that our rows do not explain
-- are booked to the treasury, once; what is in another currency is nowhere in our books.
CREATE OR REPLACE FUNCTION stripe_transactions_keep(p_rows jsonb, p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  t stripe_transactions;
  kept bigint := 0;
  ref uuid;
BEGIN
  FOR t IN
    SELECT x.id, x.type, coalesce(x.source, x.id), x."netCents", x."createdAt", x.currency
      FROM jsonb_to_recordset(p_rows)
        AS x(id text, type text, source text, "netCents" bigint, currency text,
             "createdAt" timestamptz)
     ORDER BY x."createdAt", x.id
  LOOP
    INSERT INTO stripe_transactions SELECT t.* ON CONFLICT (id) DO NOTHING;
    CONTINUE WHEN NOT FOUND;
    kept := kept + 1;
    IF NOT stripe_explained(t.type) AND t.currency = 'usd' AND t.net_cents <> 0 THEN
      ref := md5(t.id)::uuid;
      PERFORM ledger.post_usd(
        'treasury', ref, 0::smallint,
        CASE WHEN t.net_cents > 0 THEN 'stripe_clearing' ELSE 'treasury' END,
        CASE WHEN t.net_cents > 0 THEN 'treasury' ELSE 'stripe_clearing' END,
        abs(t.net_cents), p_now);
    END IF;
  END LOOP;
  RETURN kept;
END $$;

-- p_rows: [{id, amountCents, createdAt}] of payments that succeeded.
CREATE OR REPLACE FUNCTION stripe_payments_keep(p_rows jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  INSERT INTO stripe_payments (id, amount_cents, created_at)
  SELECT x.id, x."amountCents", x."createdAt"
    FROM jsonb_to_recordset(p_rows) AS x(id text, "amountCents" bigint, "createdAt" timestamptz)
  ON CONFLICT (id) DO NOTHING;
$$;

-- A round in which all of Stripe's books since the round before were read and compared.
CREATE OR REPLACE FUNCTION reconciliation_done(
  p_began timestamptz, p_payments int, p_transactions int
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  INSERT INTO reconciliations (began_at, payments, transactions)
  VALUES (p_began, p_payments, p_transactions) ON CONFLICT DO NOTHING;
$$;

-- Since when Stripe's books have not been read: the last round, or before the first one our first
-- order. NULL: nothing ever happened at Stripe.
CREATE OR REPLACE FUNCTION unreconciled_since() RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT coalesce((SELECT max(began_at) FROM reconciliations),
                  least((SELECT min(created_at) FROM purchases),
                        (SELECT min(requested_at) FROM payouts)))
$$;

-- I11: our books were compared with Stripe's in the last 3 hours. By how many hours that is missed.
CREATE OR REPLACE FUNCTION reconciliation_missed(p_now timestamptz)
RETURNS TABLE (rule text, what text, difference bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT 'I11 no reconciliation with Stripe', 'since ' || since,
         floor(extract(epoch FROM p_now - since) / 3600)::bigint
    FROM unreconciled_since() since WHERE since < p_now - interval '3 hours'
$$;

-- What our books say happened at Stripe, by the id of the object there, and when. Cents.
CREATE OR REPLACE VIEW stripe_booked AS
  SELECT charge_id AS source, amount_cents - coalesce(fee_cents, 0) AS cents, paid_at AS at
    FROM purchases WHERE charge_id IS NOT NULL
  UNION ALL
  SELECT refund_id, -amount_cents, settled_at FROM purchase_refunds
   WHERE status = 'succeeded' AND refund_id IS NOT NULL
  UNION ALL
  SELECT dispute_id, CASE status WHEN 'won' THEN fee_returned_cents - fee_cents
                                 WHEN 'open' THEN 0 ELSE -amount_cents - fee_cents END,
         coalesce(closed_at, opened_at)
    FROM disputes
  UNION ALL
  SELECT transfer_id, returned_cents - amount_cents, processed_at FROM payouts
   WHERE transfer_id IS NOT NULL;

-- Each object at Stripe in both books, with when either last heard of it; NULL: never. What Stripe
-- keeps in another currency stands in rows of its own, which no booking of ours can explain.
CREATE OR REPLACE VIEW stripe_compared AS
  SELECT coalesce(s.source, b.source) AS source, coalesce(s.currency, b.currency) AS currency,
         coalesce(b.cents, 0)::bigint AS ours, coalesce(s.net, 0)::bigint AS theirs,
         b.at AS booked_at, s.at AS moved_at
    FROM (SELECT source, currency, sum(net_cents) AS net, max(created_at) AS at
            FROM stripe_transactions WHERE stripe_explained(type) OR currency <> 'usd'
           GROUP BY source, currency) s
    FULL JOIN (SELECT source, 'usd' AS currency, sum(cents) AS cents, max(at) AS at
                 FROM stripe_booked GROUP BY source) b
      ON b.source = s.source AND b.currency = s.currency;

-- I8: what Stripe moved for us and what we booked agree, three days later at the latest; also what
-- we booked and Stripe still did not have when it was read three days later.
-- I9: every payment that Stripe took in the last 30 days is a paid purchase, and every paid
-- purchase a payment there.
-- I10: what a developer is owed is what was earned and not reversed, less what was paid.
CREATE OR REPLACE VIEW payment_violation AS
  SELECT 'I8 books differ from those of Stripe' AS rule, source AS what,
         (ours - theirs)::bigint AS difference
    FROM stripe_compared
   WHERE currency = 'usd' AND ours <> theirs AND moved_at < now() - interval '3 days'
  UNION ALL
  SELECT 'I8 money in another currency', source || ' ' || upper(currency), -theirs
    FROM stripe_compared
   WHERE currency <> 'usd' AND theirs <> 0 AND moved_at < now() - interval '3 days'
  UNION ALL
  SELECT 'I8 booked and never at Stripe', source, ours
    FROM stripe_compared
   WHERE moved_at IS NULL AND ours <> 0
     AND booked_at < (SELECT max(began_at) FROM reconciliations) - interval '3 days'
  UNION ALL
  SELECT 'I9 purchase without a payment', p.id::text, p.amount_cents
    FROM purchases p LEFT JOIN stripe_payments s ON s.id = p.payment_intent_id
   WHERE p.status = 'paid' AND s.id IS NULL
     AND p.paid_at < (SELECT max(began_at) FROM reconciliations) - interval '1 day'
  UNION ALL
  SELECT 'I9 payment without a paid purchase', s.id, s.amount_cents
    FROM stripe_payments s LEFT JOIN purchases p
      ON p.payment_intent_id = s.id AND p.status = 'paid'
   WHERE p.id IS NULL AND s.created_at > now() - interval '30 days'
     AND s.created_at < now() - interval '1 day'
  UNION ALL
  SELECT 'I10 owed differs from earned less paid', coalesce(e.developer_id, b.owner_id)::text,
         (coalesce(b.posted, 0) - coalesce(e.net, 0) + coalesce(p.paid, 0))::bigint
    FROM (SELECT developer_id, sum(net) FILTER (WHERE reversed_at IS NULL) AS net
            FROM earnings GROUP BY developer_id) e
    FULL JOIN (SELECT owner_id, posted FROM ledger.balance WHERE kind = 'developer_payable') b
      ON b.owner_id = e.developer_id
    LEFT JOIN (SELECT developer_id, sum(amount_cents - returned_cents) * 1000000 AS paid
                 FROM payouts WHERE transfer_id IS NOT NULL GROUP BY developer_id) p
      ON p.developer_id = coalesce(e.developer_id, b.owner_id)
   WHERE coalesce(b.posted, 0) <> coalesce(e.net, 0) - coalesce(p.paid, 0);

REVOKE ALL ON FUNCTION
  difference_found, differences_clear, difference_close,
  stripe_event_note, stripe_event_seen, purchase_open,
  purchase_session, purchase_look_later, refund_observe, refund_give_back, dispute_observe,
  purchase_observe, refund_request, refund_try, refund_refused, earning_terms_set, earning_record,
  earning_reverse,
  earnings_uncleared, payout_account_observe, payout_request, payout_begin, payout_sent,
  payout_failed, payout_returned, stripe_transactions_keep, stripe_payments_keep,
  reconciliation_done, unreconciled_since, reconciliation_missed
FROM PUBLIC;
GRANT SELECT ON stripe_booked, stripe_compared, payment_violation TO tarsify_app;
GRANT EXECUTE ON FUNCTION
  difference_found, differences_clear, difference_close,
  stripe_event_note, purchase_open, purchase_session,
  purchase_look_later, purchase_observe, refund_request, refund_try, refund_refused,
  earning_terms_set, earnings_uncleared, payout_account_observe, payout_request, payout_begin,
  payout_sent, payout_failed, payout_returned, stripe_transactions_keep, stripe_payments_keep,
  reconciliation_done, unreconciled_since, reconciliation_missed
TO tarsify_app;
