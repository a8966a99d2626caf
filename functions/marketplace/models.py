"""The public catalogue (contract 1.6). Each answer is one statement in autocommit, as a rule,
and serves everyone who asks the same within CATALOGUE_SECONDS."""

from common.catalog import service as catalog
from common.catalog.schemas.public import BrowseQuery, PublicModelItem, PublicModelOut
from common.errors import ModelNotFound
from common.http import Call, Link, Page
from common.http.app import Routes
from common.http.call import Rendered
from common.http.responses import rendered
from common.kept import Kept
from common.runtime import runtime

routes = Routes()
ABOUT_RUNNING = (
    "POST /models/<slug>/quote",
    "POST /models/<slug>/run",
    "POST /models/<slug>/report",
)
_pages, _models = Kept[Rendered](500), Kept[Rendered](2000)


@routes.route(
    "GET",
    "/models",
    guard=None,
    query=BrowseQuery,
    out=Page[PublicModelItem],
    links=(Link("0/slug", ("GET /models/<slug>", *ABOUT_RUNNING)),),
)
def browse(call: Call[None, None, BrowseQuery]) -> Rendered:
    """Lists published models, the newest first."""
    query = call.query
    key = (query.category, query.search, query.page, query.limit)
    return _pages.get(key, lambda: _page(query), seconds=runtime().settings.catalogue_seconds)


@routes.route(
    "GET",
    "/models/<slug>",
    guard=None,
    out=PublicModelOut,
    errors=(ModelNotFound,),
    links=(Link("slug", ABOUT_RUNNING),),
)
def detail(call: Call[None, None, None]) -> Rendered:
    """A published model and the form of its inputs."""
    slug = call.path["slug"]
    return _models.get(slug, lambda: _model(slug), seconds=runtime().settings.catalogue_seconds)


def _page(query: BrowseQuery) -> Rendered:
    with runtime().db.step() as connection:
        return rendered(catalog.browse(connection, query))


def _model(slug: str) -> Rendered:
    with runtime().db.step() as connection:
        return rendered(catalog.detail(connection, slug))
