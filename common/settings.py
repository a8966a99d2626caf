"""What an operator can set, in one place. Each field is one environment variable of the same name.

Read once per process and validated at start, so that a wrong deploy fails its smoke test and not
its first customer. The README's configuration reference is checked against this file.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator


class ConfigurationError(Exception):
    """The environment is not fit to start with; the message names each variable."""


def _split(value: object) -> object:
    """`a|b, c` -> (a, b, c): lists in environment variables are separated by comma or pipe."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.replace("|", ",").split(",") if part.strip())
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]


class Settings(BaseModel):
    """The whole configuration of a function."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    environment: Literal["local", "dev", "staging", "prod"] = Field(
        "local", description="Which installation this is; anything but local needs real services"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severity that is logged"
    )
    release: str = Field("dev", description="Version shown by /health")

    database_url: str = Field("", description="SQLAlchemy URL; empty: use CLOUD_SQL_INSTANCE")
    cloud_sql_instance: str = Field("", description="project:region:instance of Cloud SQL")
    db_name: str = Field("tarsify", description="Database name on Cloud SQL")
    db_user: str = Field("", description="IAM database user, without .gserviceaccount.com")
    db_role: str = Field("tarsify_app", description="Role that every connection takes on")
    db_pool_size: int = Field(4, ge=1, le=50, description="Connections per process")
    db_pool_timeout_seconds: float = Field(5, gt=0, description="Wait for a free connection")

    firebase_users_project: str = Field("tarsify-users", description="Firebase project: consumers")
    firebase_developers_project: str = Field(
        "tarsify-studio", description="Firebase project: developers and staff"
    )
    firebase_auth_emulator_host: str = Field(
        "", description="host:port of an identity stand-in; only with ENVIRONMENT=local"
    )
    admin_uids: Names = Field((), description="Developer-project uids that are staff")
    cors_origins: Names = Field(
        (
            "https://studio.tarsify.com",
            "https://tarsify.com",
            "http://localhost:3000",
            "http://localhost:3001",
        ),
        description="Exact browser origins, separated by comma or pipe",
    )

    runpod_base_url: str = Field("https://api.runpod.ai/v2", description="RunPod's job API")
    runpod_api_key: str = Field(
        "", description="RunPod key for jobs", json_schema_extra={"secret": True}
    )
    public_url: str = Field(
        "", description="Front door as RunPod reaches it; empty: no webhooks, polling only"
    )

    gcp_project: str = Field("tarsify-local", description="Google Cloud project")
    gcp_region: str = Field("us-central1", description="Region of the task queues")
    tasks_queue: str = Field(
        "executions",
        description="Cloud Tasks queues of alarms: each is this, a dash and the kind of alarm",
    )
    tasks_target_url: str = Field("", description="URL of the tasks function; also its audience")
    cleanup_target_url: str = Field(
        "", description="URL of the cleanup function; also its audience"
    )
    invoker_email: str = Field(
        "task-invoker@tarsify-local.iam.gserviceaccount.com",
        description="Service account that may call tasks and cleanup",
    )
    invoker_certs_url: str = Field(
        "https://www.googleapis.com/oauth2/v1/certs",
        description="Certificates of the OIDC tokens on internal calls",
    )
    private_service: bool = Field(
        False,
        description="Whether Cloud Run lets in none but the invoker; tasks and cleanup need it",
    )
    cloud_tasks_emulator_host: str = Field("", description="host:port of a Cloud Tasks stand-in")

    output_bucket: str = Field("tarsify-outputs", description="Bucket for results")
    storage_emulator_host: str = Field("", description="URL of a Cloud Storage stand-in")
    storage_signer_key_file: str = Field(
        "", description="Service account key that signs URLs; empty: sign through IAM"
    )
    upload_bucket: str = Field("tarsify-uploads", description="Bucket for consumers' own files")
    output_url_seconds: int = Field(900, ge=60, le=604800, description="Life of a result's URL")
    trusted_origins: Names = Field(
        (), description="Origins exempt from the public-address rule; only with ENVIRONMENT=local"
    )

    stripe_secret_key: str = Field(
        "", description="Stripe key; empty: no purchases", json_schema_extra={"secret": True}
    )
    stripe_api_url: str = Field("https://api.stripe.com", description="Stripe's address")
    stripe_webhook_secrets: Names = Field(
        (),
        description="Signing secrets of our own events; two while one is rotated; empty: 503",
        json_schema_extra={"secret": True},
    )
    stripe_connect_webhook_secrets: Names = Field(
        (),
        description="Signing secrets of connected accounts' events; empty: 503",
        json_schema_extra={"secret": True},
    )
    market_url: str = Field(
        "https://tarsify.com", description="Where shoppers come back to from paying"
    )
    studio_url: str = Field(
        "https://studio.tarsify.com", description="Where developers come back to from Stripe"
    )
    runpod_management_url: str = Field(
        "https://api.runpod.io/v2", description="RunPod management API: bills and workers"
    )
    runpod_management_key: str = Field(
        "",
        description="RunPod key for bills and workers; empty: neither is looked after",
        json_schema_extra={"secret": True},
    )
    difference_alert_cents: int = Field(
        100, ge=0, description="Books that differ by more are logged at CRITICAL"
    )

    trace_share: float = Field(
        0, ge=0, le=1, description="Share of the runs whose steps go to Cloud Trace; 0: none"
    )
    trace_url: str = Field(
        "https://telemetry.googleapis.com/v1/traces", description="Where the steps go"
    )
    catalogue_seconds: float = Field(
        1, ge=0, le=60, description="How old an answer of the public catalogue may be; 0: never old"
    )
    stream_seconds: float = Field(
        50, ge=0, le=3600, description="Longest connection of a run's events; readers come back"
    )
    rate_limit_scale: float = Field(
        1, ge=0, description="Multiplies what each caller may ask for; 0: nothing is limited"
    )
    forwarded_hops: int = Field(
        1,
        ge=0,
        le=5,
        description="Entries of X-Forwarded-For that proxies of ours add after the client",
    )
    platform_fee_bps: int = Field(3000, ge=0, le=10000, description="Platform share, 1/100 %")
    test_runs_per_day: int = Field(50, ge=0, description="Free test runs per developer and day")
    test_run_wait_seconds: float = Field(110, gt=0, description="Longest wait of a test run")

    @model_validator(mode="after")
    def _stand_ins_stay_local(self) -> Self:
        """An identity emulator accepts forged tokens: next to real money it must not start."""
        if self.environment == "local":
            return self
        stand_ins = {
            "FIREBASE_AUTH_EMULATOR_HOST": self.firebase_auth_emulator_host,
            "CLOUD_TASKS_EMULATOR_HOST": self.cloud_tasks_emulator_host,
            "STORAGE_EMULATOR_HOST": self.storage_emulator_host,
            "TRUSTED_ORIGINS": self.trusted_origins,
            "STRIPE_API_URL": self.stripe_api_url != "https://api.stripe.com",
        }
        wrong = [name for name, value in stand_ins.items() if value]
        if wrong:
            raise ValueError(
                f"{', '.join(wrong)} must not be set with ENVIRONMENT={self.environment}"
            )
        return self

    @property
    def live_money(self) -> bool:
        """Whether real cards are charged: only production's events may say so."""
        return self.environment == "prod"

    @model_validator(mode="after")
    def _money_is_of_one_kind(self) -> Self:
        """Test cards buy nothing in production, and real ones are not charged elsewhere."""
        if self.stripe_secret_key and ("_live_" in self.stripe_secret_key) != self.live_money:
            raise ValueError(
                "STRIPE_SECRET_KEY must be a live key with ENVIRONMENT=prod, a test key elsewhere"
            )
        return self

    def task_queue_path(self, kind: str) -> str:
        """The queue of one kind of alarm, as Cloud Tasks names it."""
        place = f"projects/{self.gcp_project}/locations/{self.gcp_region}"
        return f"{place}/queues/{self.tasks_queue}-{kind}"


def read(environ: Mapping[str, str]) -> Settings:
    """Builds settings from variables; raises ConfigurationError naming each wrong one."""
    if "K_SERVICE" in environ and environ.get("ENVIRONMENT", "local") == "local":
        raise ConfigurationError("ENVIRONMENT: must be dev, staging or prod on Cloud Run")
    given = {
        name: environ[name.upper()] for name in Settings.model_fields if name.upper() in environ
    }
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        raise ConfigurationError("; ".join(map(_complaint, error.errors()))) from None


def _complaint(error: Any) -> str:
    """`NAME: what is wrong`, without the value, which may be a secret."""
    name = ".".join(map(str, error["loc"])).upper()
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{name}: {message}" if name else message


@cache
def settings() -> Settings:
    """This process's settings."""
    return read(os.environ)
