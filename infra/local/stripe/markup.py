"""The frame of the stand-in's pages: plain HTML that a screen reader and a keyboard can use."""

from __future__ import annotations

from html import escape

from aiohttp import web

STYLE = """
body { font: 1.1rem/1.5 system-ui, sans-serif; margin: 0; background: #f6f8fa; color: #1a1f36 }
main { max-width: 28rem; margin: 3rem auto; padding: 2rem; background: #fff; border-radius: .5rem }
label, button { display: block; width: 100%; margin-top: 1rem }
input, button { font: inherit; padding: .6rem; border: 1px solid #697386; border-radius: .4rem }
input { width: 100%; box-sizing: border-box }
button { background: #0a2540; color: #fff } button.quiet { background: #fff; color: #0a2540 }
:focus-visible { outline: 3px solid #635bff; outline-offset: 2px }
[role=alert] { border-left: .3rem solid #b3093c; padding-left: .8rem; color: #8a0630 }
.note { color: #4f566b; font-size: .9rem }
"""


def document(title: str, content: str, *, status: int = 200) -> web.Response:
    """A page; `content` is HTML already, `title` is text."""
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{content}"
        '<p class="note">This is a stand-in for Stripe. No money moves.</p>'
        "</main></body></html>"
    )
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return web.Response(text=page, status=status, content_type="text/html", headers=headers)


def dollars(cents: int) -> str:
    """An amount as people read it."""
    return f"${cents / 100:,.2f}"


def see(url: str) -> web.Response:
    """Send the browser elsewhere, with GET."""
    return web.Response(status=303, headers={"Location": url})
