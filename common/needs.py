"""Which settings a function cannot do without, apart from a developer's machine.

A function declares its needs where it is made. One that lacks any ends at start and says all that
is missing, so Cloud Run never sends it a request and the deploy fails instead of a customer.
A default does not count as given: it is a developer's, and would point at nothing of ours.
"""

from common.settings import ConfigurationError, Settings

EVERY_FUNCTION = ("gcp_project",)
CONSUMERS = ("firebase_users_project", "cors_origins")
DEVELOPERS = ("firebase_developers_project", "cors_origins")
STRIPE = ("stripe_secret_key",)
STRIPE_EVENTS = ("stripe_webhook_secrets", "stripe_connect_webhook_secrets")
# Whatever moves a run on: asks RunPod, is called back or woken, keeps the result.
RUNS = (
    "runpod_api_key",
    "public_url",
    "gcp_region",
    "tasks_target_url",
    "invoker_email",
    "output_bucket",
)
UPLOADS = ("upload_bucket",)
# Who calls tasks and cleanup is known only behind Cloud Run's own check.
INTERNAL = ("invoker_email", "private_service")
DATABASE = "DATABASE_URL, or CLOUD_SQL_INSTANCE with DB_USER"


def missing(settings: Settings, needs: tuple[str, ...]) -> list[str]:
    """The variables that were not given; none on a developer's machine, where all may be."""
    if settings.environment == "local":
        return []
    wanted = dict.fromkeys((*EVERY_FUNCTION, *needs))
    found = [name.upper() for name in wanted if not _given(settings, name)]
    return found if _has_database(settings) else [DATABASE, *found]


def require(settings: Settings, needs: tuple[str, ...]) -> None:
    """Raises ConfigurationError naming everything that is missing."""
    if found := missing(settings, needs):
        raise ConfigurationError(
            f"not set, and needed with ENVIRONMENT={settings.environment}: {', '.join(found)}"
        )


def _given(settings: Settings, name: str) -> bool:
    return name in settings.model_fields_set and bool(getattr(settings, name))


def _has_database(settings: Settings) -> bool:
    return bool(settings.database_url or (settings.cloud_sql_instance and settings.db_user))
