"""Where spoilt media (F15) point to: an object store that refuses, or serves a page."""

from aiohttp import web

from infra.local.runpod.outputs import PAGE

REFUSALS = {
    "expired": ("AccessDenied", "Request has expired"),
    "forbidden": ("AccessDenied", "Access Denied"),
}


def routes() -> list[web.RouteDef]:
    """The routes of the spoilt object store."""
    return [web.get("/media/{variant}/{name}", _serve)]


async def _serve(request: web.Request) -> web.Response:
    refusal = REFUSALS.get(request.match_info["variant"])
    if refusal is None:
        return web.Response(body=PAGE, content_type="text/html")
    code, message = refusal
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return web.Response(text=body, status=403, content_type="application/xml")
