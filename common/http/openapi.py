"""The OpenAPI 3.1 document of a function, made from its route table and nothing else."""

import json
import re
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from common.errors import (
    BodyTooLarge,
    InvalidRequest,
    KeyNotAllowed,
    MalformedBody,
    TarsifyError,
    Unauthorized,
    Unavailable,
    Unexpected,
    UnsupportedMediaType,
)
from common.http.paging import Page

if TYPE_CHECKING:
    from common.http.app import App
    from common.http.routes import Route

ORIGIN = "https://tarsify.com"
EXAMPLE_SLUG, EXAMPLE_ID = "lighthouses", "5a0d8c1e-6f0b-4e52-9d35-0f5f4b1d7a66"
_REF = "#/components/schemas/{model}"
_META = {
    "type": "object",
    "required": ["page", "limit", "total", "totalPages", "pages"],
    "properties": {
        name: {"type": "integer", "minimum": 0}
        for name in ("page", "limit", "total", "totalPages", "pages")
    },
}
# Of each event of a stream; the data are JSON in a text.
_EVENT = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
}
_ERROR = {
    "type": "object",
    "required": ["success", "error"],
    "properties": {
        "success": {"const": False},
        "error": {
            "type": "object",
            "required": ["code", "message", "requestId", "retryable"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "requestId": {"type": "string"},
                "retryable": {"type": "boolean"},
                "details": {"type": "object"},
            },
        },
    },
}


def document(app: "App") -> dict[str, Any]:
    """The whole document; hidden routes (aliases, the document itself) are left out."""
    routes = [route for route in app.table if not route.hidden]
    schemas = _schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    named = {f"{route.method} {route.path}": route for route in routes}
    for route in routes:
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.path)
        operation = paths.setdefault(path, {})[route.method.lower()] = _operation(route)
        _add_example(operation, app, route, path)
        if route.links:
            operation["responses"][str(route.status)]["links"] = _links(route, named)
    return {
        "openapi": "3.1.0",
        "info": {"title": app.title, "version": "1"},
        "servers": [{"url": prefix or "/"} for prefix in app.prefixes] or [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Error": _ERROR},
            "securitySchemes": {
                "idToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key (tsf_live_...) that has the scope named.",
                },
            },
        },
    }


def _add_example(operation: dict[str, Any], app: "App", route: "Route", path: str) -> None:
    """An example of the request, and the same as a command; a test sends each of them."""
    body = app.examples.get(f"{route.method} {route.path}")
    if body is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = body
    filled = re.sub(r"{(\w+)}", lambda name: _example_of(name[1]), path)
    prefix = app.prefixes[0] if app.prefixes else ""
    lines = [f"curl -X {route.method} {ORIGIN}{prefix}{filled}"]
    if route.guard is not None:
        lines.append("-H 'Authorization: Bearer $TOKEN'".replace("'", '"'))
    if body is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d '{json.dumps(body)}'"]
    operation["x-codeSamples"] = [{"lang": "Shell", "source": " \\\n  ".join(lines)}]


def _example_of(name: str) -> str:
    return EXAMPLE_SLUG if name == "slug" else EXAMPLE_ID


def _schemas(routes: list["Route"]) -> dict[str, Any]:
    wanted: dict[tuple[type[BaseModel], Any], None] = {}
    for route in routes:
        if (model := _item(route.out)) is not None:
            wanted[model, "serialization"] = None
        if route.body is not None:
            wanted[route.body, "validation"] = None
    _, schema = models_json_schema(list(wanted), by_alias=True, ref_template=_REF)
    found: dict[str, Any] = schema.get("$defs", {})
    return found


def _item(out: Any) -> type[BaseModel] | None:
    """The model inside `Model`, `list[Model]` or `Page[Model]`."""
    inner = get_args(out)[0] if get_origin(out) in {list, Page} else out
    return inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None


def _operation(route: "Route") -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary.rstrip("."),
        "operationId": _operation_id(route),
        "parameters": _parameters(route),
        "responses": _responses(route),
    }
    if route.guard is not None:
        scope = getattr(route.guard, "scope", None)
        operation["security"] = [{"idToken": []}, *([{"apiKey": [scope]}] if scope else [])]
    if route.body is not None:
        operation["requestBody"] = {
            "required": any(f.is_required() for f in route.body.model_fields.values()),
            "content": {"application/json": {"schema": _reference(route.body)}},
        }
    return operation


def _operation_id(route: "Route") -> str:
    """Unique in a function: two files may both call a handler `create`."""
    file = route.handler.__module__.rpartition(".")[2]
    return f"{file}_{route.handler.__name__}_{route.method.lower()}"


def _parameters(route: "Route") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _path_schema(name),
            "example": _example_of(name),
        }
        for name in _path_names(route)
    ]
    found += [
        {
            "name": header.name,
            "in": "header",
            "required": False,
            "description": header.description,
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": header.longest,
                **({"pattern": f"^{header.pattern}$"} if header.pattern else {}),
            },
        }
        for header in route.takes
    ]
    if route.query is not None:
        schema = route.query.model_json_schema(by_alias=True)
        definitions = schema.get("$defs", {})
        for name, field in schema["properties"].items():
            found.append(
                {
                    "name": name,
                    "in": "query",
                    "required": name in schema.get("required", []),
                    "schema": _inlined(field, definitions),
                }
            )
    return found


def _path_schema(name: str) -> dict[str, Any]:
    """Names of ids are UUIDs (Call.uuid); slugs and tokens are text."""
    is_id = name == "id" or name.endswith("_id")
    return {"type": "string", "format": "uuid"} if is_id else {"type": "string", "minLength": 1}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """Query parameters have no place for $defs of their own."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return definitions[schema["$ref"].rsplit("/", 1)[1]]
        return {key: _inlined(value, definitions) for key, value in schema.items()}
    return [_inlined(item, definitions) for item in schema] if isinstance(schema, list) else schema


def _responses(route: "Route") -> dict[str, Any]:
    answers = {str(status): _success(route) for status in (route.status, *route.also)}
    errors: list[type[TarsifyError]] = [Unexpected, Unavailable, *route.errors]
    if route.guard is not None:
        errors.append(Unauthorized)
        if hasattr(route.guard, "scope"):
            errors.append(KeyNotAllowed)
    if route.body is not None:
        errors += [InvalidRequest, MalformedBody, BodyTooLarge, UnsupportedMediaType]
    if route.query is not None or route.takes or "<" in route.path:
        errors.append(InvalidRequest)
    for error in errors:
        entry = answers.setdefault(str(error.status), _failure())
        entry["description"] = f"{entry['description']} {error.code()}".strip()
        entry["headers"] |= _headers(*error().headers)
    for status in (route.status, *route.also):
        answers[str(status)]["headers"] = _headers("X-Request-ID", *route.headers)
    return dict(sorted(answers.items()))


def _success(route: "Route") -> dict[str, Any]:
    if route.status == 204:
        return {"description": "Done; no body."}
    if route.media != "application/json":
        shown: dict[str, Any] = _EVENT if route.media == "text/event-stream" else {}
        return {"description": "Success.", "content": {route.media: {"schema": shown}}}
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["success", "data"],
        "properties": {"success": {"const": True}, "data": _data(route.out)},
    }
    if get_origin(route.out) is Page:
        schema["required"] = [*schema["required"], "meta"]
        schema["properties"]["meta"] = _META
    return {"description": "Success.", "content": {"application/json": {"schema": schema}}}


def _data(out: Any) -> dict[str, Any]:
    model = _item(out)
    if model is None:
        return {}
    if get_origin(out) in {list, Page}:
        return {"type": "array", "items": _reference(model)}
    return _reference(model)


def _links(route: "Route", named: dict[str, "Route"]) -> dict[str, Any]:
    """Where what was answered can be used next: the answer's field is the other's parameter."""
    return {
        _operation_id(target): {
            "operationId": _operation_id(target),
            "parameters": dict.fromkeys(_path_names(target), f"$response.body#/data/{link.field}"),
        }
        for link in route.links
        for target in (named[each] for each in link.routes)
    }


def _path_names(route: "Route") -> list[str]:
    return re.findall(r"<(?:\w+:)?(\w+)>", route.path)


def _reference(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model.__name__)}


def _failure() -> dict[str, Any]:
    schema = {"$ref": _REF.format(model="Error")}
    return {
        "description": "",
        "headers": _headers("X-Request-ID"),
        "content": {"application/json": {"schema": schema}},
    }


def _headers(*names: str) -> dict[str, Any]:
    """Headers that an answer always has."""
    return {name: {"required": True, "schema": {"type": "string"}} for name in names}
