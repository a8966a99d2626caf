"""Each function does what its document says, for requests that nobody thought of (schemathesis)."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from tests.http.documents import (
    PUBLIC,
    Installation,
    aimed_at_what_exists,
    is_a_route_of_its_own,
    one_of_everything,
    sent,
)
from tests.world import World

EXAMPLES = 12
# A test run waits for its end, so it gets a few requests only.
SLOW = {"test_runs_test_run_post": 4}


@pytest.fixture
def installation(world: World) -> Installation:
    return one_of_everything(world)


def operations(schema: Any) -> Iterator[Any]:
    """The operations of a document, in its order."""
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        yield found.ok()


@pytest.mark.parametrize("function", sorted(PUBLIC))
def test_answers_are_documented_and_never_our_failure(
    installation: Installation, function: str
) -> None:
    tried = 0
    for operation in operations(installation.schema(function)):
        tried += try_out(installation, function, operation)
    assert tried >= 5


def try_out(installation: Installation, function: str, operation: Any) -> int:
    """Sends generated requests to one operation; answers how many."""
    statuses: list[int] = []
    session = requests.Session()
    name = operation.definition.raw["operationId"]

    @settings(
        max_examples=SLOW.get(name, EXAMPLES),
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=right_or_wrong(operation), existing=st.booleans())
    def send(case: Any, existing: bool) -> None:
        if existing:
            aimed_at_what_exists(installation, case)
        statuses.append(sent(installation, function, case, session).status_code)

    send()
    return len(statuses)


def right_or_wrong(operation: Any) -> st.SearchStrategy[Any]:
    """Requests that fit the document, and others."""
    return st.one_of([operation.as_strategy(generation_mode=mode) for mode in GenerationMode])


@pytest.mark.parametrize("function", sorted(PUBLIC))
def test_whatever_the_document_forbids_is_refused(
    installation: Installation, function: str
) -> None:
    schema, tried, session = installation.schema(function), 0, requests.Session()
    for operation in operations(schema):
        for case in forbidden(schema, operation):
            if not is_a_route_of_its_own(function, case):
                aimed_at_what_exists(installation, case)
                sent(installation, function, case, session)
                tried += 1
    assert tried >= 30


def forbidden(schema: Any, operation: Any) -> Iterator[Any]:
    """One request for each way in which a request may differ from the operation's description."""
    config = schema.config.generation_for(operation=operation, phase="coverage")
    cases: Iterator[Any] = schema.iter_coverage_cases(
        operation, generation_modes=[GenerationMode.NEGATIVE], generation_config=config
    )
    return cases
