"""What a run costs us: dated GPU prices, frozen on the execution, summed when it ends."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# RunPod's list prices per second and worker, in millionths of a US dollar (runpod.md 4, table of
# 2026-06-08). Staff add a row when a price changes; old runs keep the price they were started at.
COSTS = """
CREATE TABLE gpu_prices (
  gpu_class text NOT NULL,
  micro_usd_per_second bigint NOT NULL
    CONSTRAINT ck_gpu_prices_micro_usd_per_second CHECK (micro_usd_per_second >= 0),
  since timestamptz NOT NULL,
  CONSTRAINT pk_gpu_prices PRIMARY KEY (gpu_class, since)
);
INSERT INTO gpu_prices VALUES
  ('AMPERE_16', 160, '2026-06-08Z'), ('AMPERE_24', 190, '2026-06-08Z'),
  ('ADA_24', 310, '2026-06-08Z'), ('AMPERE_48', 340, '2026-06-08Z'),
  ('ADA_48_PRO', 530, '2026-06-08Z'), ('AMPERE_80', 760, '2026-06-08Z'),
  ('ADA_80_PRO', 1160, '2026-06-08Z'), ('HOPPER_141', 1550, '2026-06-08Z');
GRANT SELECT, INSERT ON gpu_prices TO tarsify_app;

ALTER TABLE base_models
  ADD COLUMN gpu_class text,
  ADD COLUMN minimum_price_credits int NOT NULL DEFAULT 1
    CONSTRAINT ck_base_models_minimum_price_credits
    CHECK (minimum_price_credits BETWEEN 1 AND 10000);

-- Both stay empty where the base model names no GPU class.
ALTER TABLE executions
  ADD COLUMN gpu_micro_usd_per_second bigint CHECK (gpu_micro_usd_per_second >= 0),
  ADD COLUMN gpu_micro_usd bigint CHECK (gpu_micro_usd >= 0);
CREATE TRIGGER execution_gpu_price_is_frozen BEFORE UPDATE OF gpu_micro_usd_per_second
  ON executions FOR EACH ROW EXECUTE FUNCTION execution_terms_are_frozen();
"""


def upgrade() -> None:
    op.execute(COSTS)
