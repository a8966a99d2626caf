"""What is kept of a published specification: the facts that something refers to, and no prose."""

from tests.specs.reducing import KINDS, runpod, stripe


def test_operations_are_kept_with_what_they_refer_to_and_without_prose() -> None:
    schema = {"$ref": "#/components/schemas/Used"}
    published = {
        "paths": {
            "/v2/serverless": {"get": {"summary": "All", "responses": {"200": schema}}},
            "/v2/pods": {"get": {}},
        },
        "components": {
            "schemas": {
                "Used": {
                    "title": "Used",
                    "properties": {"title": {"$ref": "#/components/schemas/X"}},
                },
                "X": {"type": "string", "example": "x", "x-go-name": "X"},
                "Unused": {},
            }
        },
    }
    assert runpod(published) == {
        "paths": {"/v2/serverless": {"get": {"responses": {"200": schema}}}},
        "components": {
            "schemas": {
                "Used": {"properties": {"title": {"$ref": "#/components/schemas/X"}}},
                "X": {"type": "string"},
            }
        },
    }


def test_an_example_keeps_its_fields_and_the_types_of_its_values() -> None:
    one = {"id": "ch_1", "amount": 5, "paid": True, "x": None, "parts": [{"a": 1.5}, {"b": 2}]}
    bare = {"id": "", "amount": 0, "paid": False, "x": None, "parts": [{"a": 0.0}]}
    assert stripe({"resources": dict.fromkeys(KINDS, one)}) == dict.fromkeys(KINDS, bare)
