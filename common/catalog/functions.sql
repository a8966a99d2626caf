-- Adds the runs that were tallied one by one to each model's total; answers how many there were.
-- One fold at a time: two would wait for each other's rows in different orders.
CREATE OR REPLACE FUNCTION fold_run_tallies() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  folded bigint;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7310001) THEN
    RETURN 0;
  END IF;
  WITH taken AS (
    DELETE FROM run_tally RETURNING tars_model_id
  ), sums AS (
    SELECT tars_model_id, count(*) AS runs FROM taken GROUP BY tars_model_id
  ), added AS (
    INSERT INTO tars_model_stats AS stats (tars_model_id, total_runs)
    SELECT tars_model_id, runs FROM sums
    ON CONFLICT (tars_model_id) DO UPDATE SET total_runs = stats.total_runs + excluded.total_runs
  )
  SELECT coalesce(sum(runs), 0) INTO folded FROM sums;
  RETURN folded;
END $$;

-- What a second of a base model's GPU costs us at a moment, in millionths of a US dollar; NULL
-- where nobody said which GPU class it uses.
CREATE OR REPLACE FUNCTION gpu_price_of(p_base_model uuid, p_now timestamptz) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT g.micro_usd_per_second FROM base_models b JOIN gpu_prices g ON g.gpu_class = b.gpu_class
   WHERE b.id = p_base_model AND g.since <= p_now ORDER BY g.since DESC LIMIT 1;
$$;
REVOKE ALL ON FUNCTION gpu_price_of FROM PUBLIC;

-- What can be run at present, each with its card for the public, which is JSON as it goes over the
-- wire (schemas/public.py): one value is read ten times faster than twenty rows of columns.
CREATE OR REPLACE VIEW offers AS
SELECT
  m.id, m.slug, m.title, m.description, m.published_at, m.published_version_id,
  b.category, b.schema_revision,
  json_build_object(
    'id', m.id,
    'slug', m.slug,
    'title', m.title,
    'description', m.description,
    'priceCredits', m.price_credits,
    'totalRuns',
      coalesce((SELECT s.total_runs FROM tars_model_stats s WHERE s.tars_model_id = m.id), 0)
      + (SELECT count(*) FROM run_tally t WHERE t.tars_model_id = m.id),
    'publishedAt', to_char(m.published_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'developer', json_build_object('id', d.id, 'name', d.display_name),
    'baseModel', json_build_object(
      'name', b.name,
      'category', b.category,
      'outputType', b.output_type,
      'outputFormat', b.output_format,
      'estimatedSeconds', b.estimated_seconds
    ),
    'category', b.category,
    'outputType', b.output_type,
    'outputFormat', b.output_format,
    'estimatedSeconds', b.estimated_seconds
  ) AS card
FROM tars_models m
JOIN base_models b ON b.id = m.base_model_id AND b.is_active
JOIN runpod_endpoints e ON e.id = b.endpoint_id AND e.is_active
JOIN developers d ON d.id = m.developer_id AND d.suspended_at IS NULL
WHERE m.status = 'PUBLISHED' AND m.deleted_at IS NULL AND m.suspended_at IS NULL;

GRANT SELECT ON offers TO tarsify_app;

-- One page of the public list, the newest first: {"total": number in all, "items": cards}.
-- A search is a substring in any case. These two are PL/pgSQL because it keeps its plans.
CREATE OR REPLACE FUNCTION browse_offers(
  p_category text, p_search text, p_limit int, p_offset int
) RETURNS json LANGUAGE plpgsql STABLE AS $$
DECLARE
  wanted text := lower(p_search);
BEGIN
  RETURN (
    WITH matching AS (
      SELECT id, published_at FROM offers
      WHERE (p_category IS NULL OR category = p_category)
        AND (wanted = '' OR strpos(lower(title), wanted) > 0 OR strpos(slug, wanted) > 0
             OR strpos(lower(description), wanted) > 0)
    ), page AS (
      SELECT id FROM matching ORDER BY published_at DESC, id LIMIT p_limit OFFSET p_offset
    ), cards AS (
      SELECT json_agg(o.card ORDER BY o.published_at DESC, o.id) AS items
      FROM page JOIN offers o USING (id)
    )
    SELECT json_build_object(
      'total', (SELECT count(*) FROM matching), 'items', coalesce(items, '[]'))
    FROM cards
  );
END $$;

-- One model on offer and what its form is made of; nothing but nulls if there is none.
CREATE OR REPLACE FUNCTION offer_of(
  p_slug text, OUT model_id uuid, OUT card json, OUT version_id uuid, OUT revision int
) LANGUAGE plpgsql STABLE AS $$
BEGIN
  SELECT o.id, o.card, o.published_version_id, o.schema_revision
  INTO model_id, card, version_id, revision
  FROM offers o WHERE lower(o.slug) = lower(p_slug);
END $$;
