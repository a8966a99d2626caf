"""Endpoints, base models, tars models, their versions and run counts."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OFFER = """
CREATE TABLE runpod_endpoints (
  id uuid CONSTRAINT pk_runpod_endpoints PRIMARY KEY DEFAULT gen_random_uuid(),
  runpod_endpoint_id text NOT NULL CONSTRAINT uq_runpod_endpoints_runpod_endpoint_id UNIQUE,
  name text NOT NULL,
  source text NOT NULL CONSTRAINT ck_runpod_endpoints_source CHECK (source IN ('HUB', 'CUSTOM')),
  docker_image text,
  gpu_type text NOT NULL,
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE base_models (
  id uuid CONSTRAINT pk_base_models PRIMARY KEY DEFAULT gen_random_uuid(),
  endpoint_id uuid NOT NULL CONSTRAINT fk_base_models_endpoint_id_runpod_endpoints
    REFERENCES runpod_endpoints (id) ON DELETE RESTRICT,
  slug text NOT NULL CONSTRAINT uq_base_models_slug UNIQUE,
  name text NOT NULL,
  description text,
  category text NOT NULL CONSTRAINT ck_base_models_category
    CHECK (category IN ('IMAGE', 'AUDIO', 'TEXT', 'VIDEO', 'DOCUMENT')),
  input_schema json NOT NULL, -- not jsonb: forms show the fields in the order they were written
  schema_revision integer NOT NULL DEFAULT 1,
  output_type text NOT NULL CONSTRAINT ck_base_models_output_type
    CHECK (output_type IN ('IMAGE', 'AUDIO', 'TEXT', 'VIDEO', 'FILE', 'JSON')),
  output_format text NOT NULL,
  output_adapter text NOT NULL,
  estimated_seconds integer NOT NULL DEFAULT 30
    CONSTRAINT ck_base_models_estimated_seconds CHECK (estimated_seconds BETWEEN 1 AND 3600),
  queue_seconds integer NOT NULL DEFAULT 600
    CONSTRAINT ck_base_models_queue_seconds CHECK (queue_seconds BETWEEN 10 AND 86400),
  execution_timeout_seconds integer NOT NULL DEFAULT 600
    CONSTRAINT ck_base_models_execution_timeout_seconds
    CHECK (execution_timeout_seconds BETWEEN 5 AND 86400),
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_base_models_endpoint_id ON base_models (endpoint_id);
"""

MODELS = """
CREATE TABLE tars_models (
  id uuid CONSTRAINT pk_tars_models PRIMARY KEY DEFAULT gen_random_uuid(),
  developer_id uuid NOT NULL CONSTRAINT fk_tars_models_developer_id_developers
    REFERENCES developers (id) ON DELETE RESTRICT,
  base_model_id uuid NOT NULL CONSTRAINT fk_tars_models_base_model_id_base_models
    REFERENCES base_models (id) ON DELETE RESTRICT,
  title text NOT NULL,
  slug text NOT NULL,
  description text,
  config_overrides jsonb,
  price_credits integer NOT NULL
    CONSTRAINT ck_tars_models_price_credits CHECK (price_credits BETWEEN 1 AND 10000),
  status text NOT NULL DEFAULT 'DRAFT'
    CONSTRAINT ck_tars_models_status CHECK (status IN ('DRAFT', 'PUBLISHED', 'ARCHIVED')),
  published_version_id uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  published_at timestamptz,
  deleted_at timestamptz,
  CONSTRAINT ck_tars_models_published_has_version CHECK (
    status <> 'PUBLISHED' OR (published_version_id IS NOT NULL AND published_at IS NOT NULL)),
  CONSTRAINT ck_tars_models_deleted_is_hidden CHECK (deleted_at IS NULL OR status <> 'PUBLISHED')
);
CREATE UNIQUE INDEX uq_tars_models_slug ON tars_models (lower(slug))
  WHERE deleted_at IS NULL OR published_at IS NOT NULL;
CREATE INDEX ix_tars_models_base_model_id ON tars_models (base_model_id);
CREATE INDEX ix_tars_models_developer ON tars_models (developer_id, created_at DESC, id);
CREATE INDEX ix_tars_models_offered ON tars_models (published_at DESC, id)
  WHERE status = 'PUBLISHED' AND deleted_at IS NULL;

CREATE TABLE tars_model_versions (
  id uuid CONSTRAINT pk_tars_model_versions PRIMARY KEY DEFAULT gen_random_uuid(),
  tars_model_id uuid NOT NULL CONSTRAINT fk_tars_model_versions_tars_model_id_tars_models
    REFERENCES tars_models (id) ON DELETE RESTRICT,
  number integer NOT NULL,
  title text NOT NULL,
  base_model_id uuid NOT NULL CONSTRAINT fk_tars_model_versions_base_model_id_base_models
    REFERENCES base_models (id) ON DELETE RESTRICT,
  config_overrides jsonb,
  price_credits integer NOT NULL
    CONSTRAINT ck_tars_model_versions_price_credits CHECK (price_credits BETWEEN 1 AND 10000),
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT uq_tars_model_versions_tars_model_id_number UNIQUE (tars_model_id, number)
);

ALTER TABLE tars_models ADD CONSTRAINT fk_tars_models_published_version_id_tars_model_versions
  FOREIGN KEY (published_version_id) REFERENCES tars_model_versions (id) ON DELETE RESTRICT;

CREATE FUNCTION refuse_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a version of a tars model never changes' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER version_immutable BEFORE UPDATE OR DELETE ON tars_model_versions
  FOR EACH ROW EXECUTE FUNCTION refuse_version_change();
"""

COUNTS = """
CREATE TABLE tars_model_stats (
  tars_model_id uuid CONSTRAINT pk_tars_model_stats PRIMARY KEY
    CONSTRAINT fk_tars_model_stats_tars_model_id_tars_models
    REFERENCES tars_models (id) ON DELETE RESTRICT,
  total_runs bigint NOT NULL DEFAULT 0
);

CREATE TABLE run_tally (tars_model_id uuid NOT NULL);
CREATE INDEX ix_run_tally_tars_model_id ON run_tally (tars_model_id);

GRANT SELECT, INSERT, UPDATE ON runpod_endpoints, base_models, tars_models TO tarsify_app;
GRANT SELECT, INSERT ON tars_model_versions TO tarsify_app;
GRANT SELECT, INSERT, UPDATE ON tars_model_stats TO tarsify_app;
GRANT SELECT, INSERT, DELETE ON run_tally TO tarsify_app;
"""


def upgrade() -> None:
    op.execute(OFFER)
    op.execute(MODELS)
    op.execute(COUNTS)
