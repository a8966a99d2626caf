-- Spend limits of API keys. Lock order: the wallet, then the family's row.
-- SQLSTATEs raised: P0401 the key has ended; P0430 over the limit (DETAIL = limit, spent, period).

CREATE OR REPLACE FUNCTION key_period_since(p_period text, p_at timestamptz) RETURNS date
LANGUAGE sql IMMUTABLE AS $$ SELECT date_trunc(p_period, p_at AT TIME ZONE 'UTC')::date $$;

-- Adds a price that is about to be held, unless that passes the key's limit.
CREATE OR REPLACE FUNCTION key_spend(p_key uuid, p_price bigint, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  k api_keys;
  since_day date;
BEGIN
  SELECT * INTO k FROM api_keys WHERE id = p_key;
  IF k.id IS NULL OR k.revoked_at <= p_now OR k.expires_at <= p_now THEN
    RAISE EXCEPTION 'the key has ended' USING ERRCODE = 'P0401';
  END IF;
  IF k.spend_limit IS NULL THEN
    RETURN;
  END IF;
  since_day := key_period_since(k.spend_period, p_now);
  INSERT INTO key_spending AS s (family_id, since, spent)
  SELECT k.family_id, since_day, p_price WHERE p_price <= k.spend_limit
  ON CONFLICT (family_id, since) DO UPDATE SET spent = s.spent + p_price
   WHERE s.spent + p_price <= k.spend_limit;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'over the spend limit' USING ERRCODE = 'P0430', DETAIL = concat_ws(
      ' ', k.spend_limit, coalesce((SELECT s.spent FROM key_spending s
        WHERE s.family_id = k.family_id AND s.since = since_day), 0), k.spend_period);
  END IF;
END $$;

-- A run that was not charged spent nothing, in the period in which it was started.
CREATE OR REPLACE FUNCTION key_unspend(p_key uuid, p_price bigint, p_started timestamptz)
RETURNS void LANGUAGE sql SET search_path = public, pg_temp AS $$
  UPDATE key_spending s SET spent = s.spent - p_price FROM api_keys k
   WHERE k.id = p_key AND k.spend_limit IS NOT NULL AND s.family_id = k.family_id
     AND s.since = key_period_since(k.spend_period, p_started);
$$;

-- Every key of an account that is deleted.
CREATE OR REPLACE FUNCTION keys_erase(
  p_consumer uuid, p_developer uuid, p_now timestamptz
) RETURNS void LANGUAGE sql SET search_path = public, pg_temp AS $$
  UPDATE api_keys SET revoked_at = coalesce(revoked_at, p_now), name = 'erased'
   WHERE consumer_id = p_consumer OR developer_id = p_developer;
$$;

REVOKE ALL ON FUNCTION key_spend, key_unspend, keys_erase FROM PUBLIC;
