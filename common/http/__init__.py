"""HTTP for every function: a route table, validation, one envelope, one OpenAPI document."""

from common.http.app import App
from common.http.call import Call, Reply
from common.http.paging import Page, Paging
from common.http.wire import In, JsonObject, Out, Timestamp

__all__ = ["App", "Call", "In", "JsonObject", "Out", "Page", "Paging", "Reply", "Timestamp"]
