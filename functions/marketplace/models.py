"""The public catalogue (contract 1.6). Each request is one statement in autocommit, as a rule."""

from common.catalog import service as catalog
from common.catalog.schemas.public import BrowseQuery, PublicModelItem, PublicModelOut
from common.errors import ModelNotFound
from common.http import Call, JsonObject, Page
from common.http.app import Routes
from common.runtime import runtime

routes = Routes()


@routes.route("GET", "/models", guard=None, query=BrowseQuery, out=Page[PublicModelItem])
def browse(call: Call[None, None, BrowseQuery]) -> Page[JsonObject]:
    """Lists published models, the newest first."""
    with runtime().db.step() as connection:
        return catalog.browse(connection, call.query)


@routes.route("GET", "/models/<slug>", guard=None, out=PublicModelOut, errors=(ModelNotFound,))
def detail(call: Call[None, None, None]) -> JsonObject:
    """A published model and the form of its inputs."""
    with runtime().db.step() as connection:
        return catalog.detail(connection, call.path["slug"])
