"""Refused fields are explained to people, not to programmers."""

import uuid
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from common.errors import InvalidRequest
from common.http import In
from common.http.parsing import parse_body
from common.text import HttpsUrl, PersonName


class Form(In):
    """One field of each kind."""

    name: PersonName = "Ada"
    title: Annotated[str, Field(min_length=1, max_length=5)] = "T"
    price: Annotated[int, Field(ge=1, le=10)] = 1
    ratio: Annotated[float, Field(gt=0, lt=1)] = 0.5
    active: bool = True
    kind: Literal["DRAFT", "PUBLISHED"] = "DRAFT"
    owner: uuid.UUID = uuid.UUID(int=0)
    code: Annotated[str, Field(pattern="^[a-z]$")] = "a"
    picture: HttpsUrl = "https://a.example/"
    names: Annotated[list[str], Field(max_length=1)] = Field(default_factory=list)
    extras: dict[str, Any] = Field(default_factory=dict)
    nested: "Needed | None" = None


class Needed(In):
    """One field that must be there."""

    size: int


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "x"}, "name: must have at least 2 characters"),
        ({"name": "a\nb"}, "name: must be one line without control characters"),
        ({"title": ""}, "title: must not be empty"),
        ({"title": "sixsix"}, "title: must have at most 5 characters"),
        ({"title": 5}, "title: must be text"),
        ({"price": 0}, "price: must be at least 1"),
        ({"price": 11}, "price: must be at most 10"),
        ({"price": 1.5}, "price: must be a whole number"),
        ({"price": "many"}, "price: must be a whole number"),
        ({"price": None}, "price: must be a whole number"),
        ({"ratio": 0}, "ratio: must be more than 0.0"),
        ({"ratio": 1}, "ratio: must be less than 1.0"),
        ({"ratio": "x"}, "ratio: must be a number"),
        ({"active": "maybe"}, "active: must be true or false"),
        ({"active": None}, "active: must be true or false"),
        ({"kind": "draft"}, "kind: must be 'DRAFT' or 'PUBLISHED'"),
        ({"owner": "me"}, "owner: must be a UUID"),
        ({"code": "A"}, "code: does not have the right form"),
        ({"picture": "http://a.example/"}, "picture: must be an https address"),
        ({"names": "x"}, "names: must be a list"),
        ({"names": ["a", "b"]}, "names: must have at most 1 entries"),
        ({"extras": []}, "extras: must be an object"),
        ({"nested": []}, "nested: must be an object"),
        ({"nested": {}}, "nested.size: is required"),
        ({"colour": "red"}, "colour: is not a known field"),
        ({"colour": "red", "price": 0}, "price: must be at least 1 (and 1 more)"),
    ],
)
def test_a_refused_field_is_explained(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_body(Form, given)
    assert refused.value.message == message
    assert "input" not in str(refused.value.details).lower()
