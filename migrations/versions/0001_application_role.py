"""The role that functions work as: it may do only what later migrations grant."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        DO $$ BEGIN
          IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tarsify_app') THEN
            -- Cloud SQL's logins have their rights from a role, but CREATEROLE is not inherited.
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'cloudsqlsuperuser'
                          AND pg_has_role(current_user, oid, 'MEMBER')) THEN
              SET LOCAL ROLE cloudsqlsuperuser;
            END IF;
            CREATE ROLE tarsify_app NOLOGIN;
            RESET ROLE;
          END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
          NULL; -- roles belong to the whole server: another database's migration was faster
        END $$
        """
    )
    op.execute("GRANT USAGE ON SCHEMA public TO tarsify_app")
