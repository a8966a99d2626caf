"""What each function must be told before it starts, anywhere but on a developer's machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.http import App
from common.needs import DATABASE, missing, require
from common.settings import ConfigurationError, Settings, read
from infra.packing.contents import function_names
from tests.http.functions import APPS

ROOT = Path(__file__).parent.parent
# What Terraform tells all functions together; no function is told more than it needs.
TOLD = {
    "ENVIRONMENT": "prod",
    "CLOUD_SQL_INSTANCE": "tarsify-prod:us-central1:main",
    "DB_USER": "function@tarsify-prod.iam",
    "GCP_PROJECT": "tarsify-prod",
    "GCP_REGION": "us-central1",
    "FIREBASE_USERS_PROJECT": "tarsify-users",
    "FIREBASE_DEVELOPERS_PROJECT": "tarsify-studio",
    "CORS_ORIGINS": "https://tarsify.example",
    "MARKET_URL": "https://tarsify.example",
    "STUDIO_URL": "https://studio.tarsify.example",
    "PUBLIC_URL": "https://tarsify.example",
    "OUTPUT_BUCKET": "tarsify-prod-outputs",
    "UPLOAD_BUCKET": "tarsify-prod-uploads",
    "TASKS_TARGET_URL": "https://tasks.example",
    "CLEANUP_TARGET_URL": "https://cleanup.example",
    "INVOKER_EMAIL": "task-invoker@tarsify-prod.iam.gserviceaccount.com",
    "PRIVATE_SERVICE": "true",
    "RUNPOD_API_KEY": "rpa_key",
    "STRIPE_SECRET_KEY": "sk_live_key",
    "STRIPE_WEBHOOK_SECRETS": "whsec_one",
    "STRIPE_CONNECT_WEBHOOK_SECRETS": "whsec_two",
}
RUNS = "RUNPOD_API_KEY PUBLIC_URL GCP_REGION TASKS_TARGET_URL INVOKER_EMAIL OUTPUT_BUCKET"
NEEDED = {
    "marketplace": f"FIREBASE_USERS_PROJECT CORS_ORIGINS {RUNS} UPLOAD_BUCKET STRIPE_SECRET_KEY"
    " MARKET_URL",
    "studio": f"FIREBASE_DEVELOPERS_PROJECT CORS_ORIGINS {RUNS} STRIPE_SECRET_KEY STUDIO_URL",
    "admin": "FIREBASE_DEVELOPERS_PROJECT CORS_ORIGINS STRIPE_SECRET_KEY",
    "callback": RUNS,
    "payments": "STRIPE_SECRET_KEY STRIPE_WEBHOOK_SECRETS STRIPE_CONNECT_WEBHOOK_SECRETS",
    "tasks": f"PRIVATE_SERVICE {RUNS}",
    "cleanup": f"PRIVATE_SERVICE {RUNS} STRIPE_SECRET_KEY CLEANUP_TARGET_URL",
}
# Starts each function in a bare environment, as its container does, and tells what each said.
START_EACH = """
import importlib, json, sys
said = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(f"functions.{name}.main")
        said[name] = "started"
    except Exception as error:
        said[name] = f"{type(error).__name__}: {error}"
print(json.dumps(said))
"""


def app_of(name: str) -> App:
    return APPS[name]


def needed(name: str) -> set[str]:
    return {"GCP_PROJECT", *NEEDED[name].split()}


def starts(environment: dict[str, str]) -> dict[str, str]:
    """What each function says when its process begins with this environment and nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", START_EACH, *function_names()],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    said: dict[str, str] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("name", function_names())
def test_a_function_needs_exactly_what_is_listed(name: str) -> None:
    assert {each.upper() for each in app_of(name).needs} | {"GCP_PROJECT"} == needed(name)
    told = {key: TOLD[key] for key in ("ENVIRONMENT", "CLOUD_SQL_INSTANCE", "DB_USER")}
    require(read(told | {key: TOLD[key] for key in needed(name)}), app_of(name).needs)


@pytest.mark.parametrize("name", function_names())
def test_a_function_that_lacks_one_says_which(name: str) -> None:
    for variable in needed(name):
        without = {key: value for key, value in TOLD.items() if key != variable}
        for told in (without, without | {variable: "false" if "PRIVATE" in variable else ""}):
            assert missing(read(told), app_of(name).needs) == [variable]


@pytest.mark.parametrize("name", function_names())
def test_a_function_without_a_database_says_how_to_give_it_one(name: str) -> None:
    needs = app_of(name).needs
    for lost in ({"CLOUD_SQL_INSTANCE"}, {"DB_USER"}, {"CLOUD_SQL_INSTANCE", "DB_USER"}):
        told = {key: value for key, value in TOLD.items() if key not in lost}
        assert missing(read(told), needs) == [DATABASE]
        assert missing(read(told | {"DATABASE_URL": "postgresql+pg8000://x"}), needs) == []


def test_on_a_developers_machine_nothing_is_needed() -> None:
    for app in APPS.values():
        require(Settings(), app.needs)


def test_each_process_ends_at_start_with_everything_that_is_missing() -> None:
    said = starts({"ENVIRONMENT": "prod"})
    begins = "ConfigurationError: not set, and needed with ENVIRONMENT=prod: "
    for name in function_names():
        assert said[name].startswith(begins + DATABASE + ", GCP_PROJECT"), said[name]
        names = said[name].removeprefix(begins + DATABASE + ", ").split(", ")
        assert set(names) == needed(name)


def test_each_process_starts_once_everything_is_given() -> None:
    assert set(starts(TOLD).values()) == {"started"}


def test_no_complaint_repeats_a_secret() -> None:
    told = {key: value for key, value in TOLD.items() if key != "STRIPE_WEBHOOK_SECRETS"}
    with pytest.raises(ConfigurationError) as refused:
        require(read(told), app_of("payments").needs)
    assert str(refused.value).endswith(": STRIPE_WEBHOOK_SECRETS")
    assert "sk_live" not in str(refused.value)
