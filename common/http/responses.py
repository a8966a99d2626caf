"""The one envelope: {success, data, meta?} or {success: false, error}."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from werkzeug.wrappers import Response

from common.errors import TarsifyError
from common.http.call import File, Raw, Rendered, Reply, Stream
from common.http.paging import Page

JSON = "application/json; charset=utf-8"
SECURITY_HEADERS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-site",
    "Cache-Control": "no-store",
}


PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'",
    "Cache-Control": "public, max-age=300",
}


def render(answer: Any, status: int) -> Response:
    """A handler's answer as a response. None is 204 with no body."""
    if answer is None:
        return Response(status=204)
    if isinstance(answer, Stream):
        return Response(answer.chunks, status=status, content_type=answer.content_type)
    if isinstance(answer, File):
        return Response(
            answer.content, status, headers=PAGE_HEADERS, content_type=answer.content_type
        )
    if isinstance(answer, Raw):
        return _json(_dump(answer.data), status, {})
    if isinstance(answer, Reply):
        return _json(_envelope(answer), answer.status, answer.headers)
    if not isinstance(answer, Rendered):
        answer = rendered(answer)
    return _json(answer.content, status, {})


def rendered(answer: Any) -> Rendered:
    """Data or a page of it in its envelope."""
    if isinstance(answer, Page):
        return Rendered(_envelope(Reply(list(answer.items), meta=answer.meta)))
    return Rendered(_envelope(Reply(answer)))


def render_error(error: TarsifyError, request_id: str) -> Response:
    """An error as a response; details appear only where there are any."""
    body: dict[str, Any] = {
        "code": error.code(),
        "message": error.message,
        "requestId": request_id,
        "retryable": error.retryable,
    }
    if error.details:
        body["details"] = error.details
    return _json(_dump({"success": False, "error": body}), error.status, error.headers)


def _json(content: bytes, status: int, headers: dict[str, str]) -> Response:
    return Response(content, status=status, headers=headers, content_type=JSON)


def _envelope(reply: Reply) -> bytes:
    """Serialised piece by piece: pydantic writes JSON itself, several times faster than json."""
    meta = b',"meta":' + _dump(reply.meta) if reply.meta is not None else b""
    return b'{"success":true,"data":' + _dump(reply.data) + meta + b"}"


def _dump(value: Any) -> bytes:
    if isinstance(value, BaseModel):
        return value.__pydantic_serializer__.to_json(value, by_alias=True)
    if isinstance(value, Sequence) and value and isinstance(value[0], BaseModel):
        return b"[" + b",".join(_dump(item) for item in value) + b"]"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
