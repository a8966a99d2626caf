"""What developers send and read: their tars models and the base models under them."""

import uuid

from pydantic import Field

from common.catalog.overrides import ConfigOverrides
from common.catalog.schemas.fields import Description, PriceCredits, Slug, Title
from common.catalog.tables import Category, OutputType, Status
from common.http import In, JsonObject, Out, Paging, Timestamp


class BaseModelPublic(Out):
    """A base model that tars models can be made of."""

    id: uuid.UUID
    slug: str
    name: str
    description: str | None
    category: Category
    input_schema: JsonObject
    output_type: OutputType
    output_format: str
    estimated_seconds: int


class BaseModelList(Out):
    """All active base models, in one piece, as existing clients read them (contract K4)."""

    base_models: list[BaseModelPublic]


class OfferQuery(In):
    """A filter of the developers' list of base models."""

    category: Category | None = None


class TarsModelIn(In):
    """A new tars model, a draft at first."""

    base_model_id: uuid.UUID
    title: Title
    slug: Slug
    description: Description = None
    config_overrides: ConfigOverrides | None = None
    price_credits: PriceCredits


class TarsModelChanges(In):
    """Changes to a tars model: a field left out stays as it is, null clears it."""

    title: Title = Field(default_factory=str)
    slug: Slug = Field(default_factory=str)
    description: Description = None
    config_overrides: ConfigOverrides | None = None
    price_credits: PriceCredits = Field(default_factory=int)


class TarsModelsQuery(Paging):
    """Filters of a developer's own list."""

    status: Status | None = None


class PublishIn(In):
    """What to do; older clients send no body to publish."""

    action: str = Field("publish", max_length=50)


class PreviewIn(In):
    """Inputs as a consumer would send them."""

    inputs: JsonObject = Field(default_factory=dict)


class BaseModelBrief(Out):
    """The base model under a tars model in a list: without its schema, which is heavy."""

    id: uuid.UUID
    slug: str
    name: str
    category: Category
    output_type: OutputType
    output_format: str


class BaseModelUsed(BaseModelBrief):
    """The base model under a tars model, with the whole input schema."""

    input_schema: JsonObject


class TarsModelItem(Out):
    """A tars model in its developer's list."""

    id: uuid.UUID
    developer_id: uuid.UUID
    base_model_id: uuid.UUID
    title: str
    slug: str
    description: str | None
    config_overrides: JsonObject | None
    price_credits: int
    status: Status
    total_runs: int
    created_at: Timestamp
    updated_at: Timestamp
    published_at: Timestamp | None
    base_model: BaseModelBrief


class TarsModelOut(TarsModelItem):
    """A tars model as its developer sees it."""

    base_model: BaseModelUsed


class PreviewForm(Out):
    """The form that consumers will see."""

    input_schema: JsonObject


class PreviewPayload(Out):
    """What the worker would get, for the developer's eyes only."""

    payload: JsonObject
