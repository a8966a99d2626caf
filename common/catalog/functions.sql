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
