"""HTTP for every function: a route table, validation, one envelope, one OpenAPI document."""

from common.http.app import App
from common.http.call import Call, File, Reply, Stream
from common.http.paging import Page, Paging
from common.http.routes import IDEMPOTENCY_KEY, Header, Link
from common.http.wire import AS_NUMBER, Flag, In, JsonObject, Moment, Out, Timestamp

__all__ = [
    "AS_NUMBER", "IDEMPOTENCY_KEY", "App", "Call", "File", "Flag", "Header", "In", "JsonObject",
    "Link", "Moment", "Out", "Page", "Paging", "Reply", "Stream", "Timestamp",
]  # fmt: skip
