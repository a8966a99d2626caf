"""Dated prices of GPU time: what margins are reckoned with."""

from sqlalchemy.orm import Session

from common.catalog import queries
from common.catalog.schemas.staff import GpuPriceIn, GpuPriceOut
from common.catalog.tables import GpuPriceRow
from common.errors import Conflict


def gpu_prices(session: Session) -> list[GpuPriceOut]:
    """Every dated price, by class, the newest first."""
    return [GpuPriceOut.model_validate(row) for row in queries.gpu_prices(session)]


def add_gpu_price(session: Session, new: GpuPriceIn) -> GpuPriceOut:
    """A price from a moment on; raises Conflict where that moment has one already."""
    made = queries.insert_row(session, GpuPriceRow, new.model_dump())
    if made is None:
        raise Conflict("This class has a price from that moment on already.")
    return GpuPriceOut.model_validate(made)
