"""Pages of a list, in the form that existing clients read (contract K3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import Field

from common.http.wire import In

Item = TypeVar("Item")


class Paging(In):
    """Which page of a list."""

    page: int = Field(1, ge=1, le=100_000)
    limit: int = Field(20, ge=1, le=100)

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit


@dataclass(frozen=True)
class Page(Generic[Item]):
    """One page of items and how many there are in all."""

    items: Sequence[Item]
    total: int
    paging: Paging

    @property
    def meta(self) -> dict[str, Any]:
        """`pages` repeats `totalPages`: existing clients are divided over the name."""
        pages = -(-self.total // self.paging.limit)
        return {
            "page": self.paging.page,
            "limit": self.paging.limit,
            "total": self.total,
            "totalPages": pages,
            "pages": pages,
        }


def everything(read: Callable[[Paging], Page[Item]], *, most: int = 10_000) -> list[Item]:
    """All items of a list, read page by page; of a longer one the first `most`."""
    items: list[Item] = []
    for number in range(1, most // 100 + 1):
        page = read(Paging(page=number, limit=100))
        items += page.items
        if len(items) >= page.total or not page.items:
            break
    return items
