"""JSON has numbers, truth values and text: none of them stands for another in a body."""

import uuid
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from common.accounts.schemas import DeveloperRegistration
from common.catalog.schemas.staff import EndpointIn
from common.credits.schemas import GrantIn
from common.errors import InvalidRequest
from common.http.parsing import parse_body


def grant(credits_: Any) -> Any:
    body = {"consumerId": str(uuid.uuid4()), "reason": "a test", "reference": str(uuid.uuid4())}
    return parse_body(GrantIn, body | {"credits": credits_})


def endpoint(active: Any) -> Any:
    body = {"runpodEndpointId": "ep1", "name": "Endpoint", "gpuType": "A40"}
    return parse_body(EndpointIn, body | {"isActive": active})


@pytest.mark.parametrize("credits_", [True, "5", 5.5, [5], None])
def test_only_a_whole_number_is_an_amount_of_credits(credits_: Any) -> None:
    with pytest.raises(InvalidRequest, match="credits: must be a whole number"):
        grant(credits_)


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert grant(5).credits == grant(5.0).credits == 5


@pytest.mark.parametrize("active", [0, 1, "yes", "false", "", None])
def test_only_true_and_false_switch_an_endpoint(active: Any) -> None:
    with pytest.raises(InvalidRequest, match="isActive: must be true or false"):
        endpoint(active)
    assert endpoint(True).is_active is True
    assert endpoint(False).is_active is False


def test_a_blank_name_is_taken_and_documented() -> None:
    schema = Draft202012Validator(DeveloperRegistration.model_json_schema(by_alias=True))
    for blank in ("", "  ", None):
        assert parse_body(DeveloperRegistration, {"displayName": blank}).display_name is None
        assert schema.is_valid({"displayName": blank})
    assert not schema.is_valid({"displayName": "x"})
