"""Listing a bucket: prefixes, delimiters, pages."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from infra.local.storage.disk import Entry
from infra.local.storage.errors import bad_request

LARGEST_PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Page:
    """Objects, common prefixes, and where the next page starts ("" on the last)."""

    items: list[Entry]
    prefixes: list[str]
    next_token: str


def page(objects: Iterable[Entry], query: Mapping[str, str]) -> Page:
    """One page in name order; a prefix counts as one item, as in Cloud Storage."""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    after, size = _after(query.get("pageToken", "")), _size(query.get("maxResults", ""))
    rows: dict[str, Entry | None] = {}
    for entry in sorted(objects, key=lambda it: it.name):
        if entry.name.startswith(prefix):
            folder = _folder(entry.name, prefix, delimiter)
            rows.setdefault(folder or entry.name, None if folder else entry)
    names = [name for name in rows if name > after]
    chosen = names[:size]
    more = len(names) > size
    return Page(
        items=[row for name in chosen if (row := rows[name])],
        prefixes=[name for name in chosen if rows[name] is None],
        next_token=base64.urlsafe_b64encode(chosen[-1].encode()).decode() if more else "",
    )


def _folder(name: str, prefix: str, delimiter: str) -> str:
    if not delimiter:
        return ""
    head, found, _ = name[len(prefix) :].partition(delimiter)
    return f"{prefix}{head}{found}" if found else ""


def _after(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except ValueError:
        raise bad_request("Invalid page token") from None


def _size(text: str) -> int:
    if text and not text.isdecimal():
        raise bad_request("Invalid maxResults")
    return min(int(text or LARGEST_PAGE) or LARGEST_PAGE, LARGEST_PAGE)
