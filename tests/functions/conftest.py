"""Each function as functions-framework serves it; only the identity service is replaced."""

import functools
from collections.abc import Callable
from pathlib import Path

import functions_framework
import pytest
from flask import Flask

from common.db import Database
from common.runtime import Runtime, install
from common.settings import Settings
from tests.functions.callers import Api, Catalogue, KnownTokens, People, Studio

FUNCTIONS = Path(__file__).parents[2] / "functions"


@pytest.fixture(scope="session")
def apps() -> Callable[[str], Flask]:
    """The Flask application that functions-framework builds for a function, made once."""

    @functools.cache
    def make(function: str) -> Flask:
        source = str(FUNCTIONS / function / "main.py")
        app: Flask = functions_framework.create_app(function, source, "http")  # type: ignore[no-untyped-call]
        return app

    return make


@pytest.fixture
def tokens(settings: Settings) -> KnownTokens:
    return KnownTokens(settings)


@pytest.fixture
def parts(settings: Settings, db: Database, tokens: KnownTokens) -> Runtime:
    """The runtime that the functions under test use."""
    instance = Runtime(settings)
    instance.db, instance.identities = db, tokens
    install(instance)
    return instance


@pytest.fixture
def people(parts: Runtime, tokens: KnownTokens, apps: Callable[[str], Flask]) -> People:
    return People(tokens, lambda function: apps(function).test_client())


@pytest.fixture
def catalogue(people: People) -> Catalogue:
    return Catalogue(people.staff(), iter(range(1, 1000)))


@pytest.fixture
def studio(people: People, catalogue: Catalogue) -> Studio:
    return Studio(people.developer(), catalogue, iter(range(1, 1000)))


@pytest.fixture
def public(people: People) -> Api:
    return people.stranger("marketplace")
