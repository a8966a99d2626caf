"""Browsers from known origins only (contract K15); preflights are answered before sign-in."""

from werkzeug.wrappers import Request, Response

_METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
_ALLOWED = (
    "Content-Type, Authorization, X-Request-ID, Idempotency-Key, Prefer, Cancel-After, "
    "Last-Event-ID"
)
_EXPOSED = (
    "X-Request-ID, Location, Retry-After, Idempotency-Replayed, Preference-Applied, RateLimit, "
    "RateLimit-Policy, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
)


def is_preflight(request: Request) -> bool:
    return request.method == "OPTIONS"


def preflight(request: Request, origins: tuple[str, ...]) -> Response:
    """204 always; a foreign origin gets no allow-origin and its browser stops there."""
    response = Response(status=204)
    allow(request, response, origins)
    if "Access-Control-Allow-Origin" in response.headers:
        response.headers["Access-Control-Allow-Methods"] = _METHODS
        response.headers["Access-Control-Allow-Headers"] = _ALLOWED
        response.headers["Access-Control-Max-Age"] = "3600"
    return response


def allow(request: Request, response: Response, origins: tuple[str, ...]) -> None:
    """Echoes a known origin, never a wildcard."""
    response.headers.add("Vary", "Origin")
    origin = request.headers.get("Origin", "")
    if origin in origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
