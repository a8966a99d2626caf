"""What staff send and read: endpoints and base models with everything about them."""

import uuid
from typing import Annotated

from pydantic import Field

from common.catalog.schemas.fields import (
    Adapter,
    EstimatedSeconds,
    Name,
    Slug,
    TimeoutSeconds,
    Title,
    WaitSeconds,
)
from common.catalog.tables import Category, Moderation, OutputType, Source
from common.http import AS_NUMBER, Flag, In, JsonObject, Moment, Out, Paging, Timestamp
from common.text import Line, Paragraphs

GpuClass = Annotated[str, Field(pattern=r"^[A-Z0-9_]{2,50}$")]


class GpuPriceIn(In):
    """What a second of a GPU class costs us from a moment on, in millionths of a US dollar."""

    gpu_class: GpuClass
    micro_usd_per_second: Annotated[int, Field(ge=0, le=1_000_000), AS_NUMBER]
    since: Moment


class GpuPriceOut(Out):
    """A dated price of a GPU class."""

    gpu_class: str
    micro_usd_per_second: int
    since: Timestamp


class EndpointIn(In):
    """A RunPod Serverless endpoint to offer."""

    runpod_endpoint_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
    name: Name
    gpu_type: Annotated[Line, Field(min_length=1, max_length=50)]
    source: Source = "HUB"
    docker_image: Annotated[Line, Field(max_length=500)] | None = None
    is_active: Flag = True


class EndpointChanges(In):
    """Changes to an endpoint: a field left out stays as it is. Its RunPod id never changes."""

    name: Name = Field(default_factory=str)
    gpu_type: Annotated[Line, Field(min_length=1, max_length=50)] = Field(default_factory=str)
    source: Source = Field(default_factory=lambda: "HUB")
    docker_image: Annotated[Line, Field(max_length=500)] | None = None
    is_active: Flag = Field(default_factory=bool)


class EndpointsQuery(Paging):
    """Filters of the list of endpoints."""

    is_active: bool | None = None


class BaseModelCount(Out):
    """How many base models use an endpoint."""

    base_models: int


class EndpointOut(Out):
    """An endpoint, for staff only."""

    id: uuid.UUID
    runpod_endpoint_id: str
    name: str
    source: Source
    docker_image: str | None
    gpu_type: str
    is_active: bool
    created_at: Timestamp
    updated_at: Timestamp
    count: BaseModelCount = Field(alias="_count")


class BaseModelIn(In):
    """A base model to offer: a worker's input vocabulary and how its output is read."""

    endpoint_id: uuid.UUID
    slug: Annotated[Slug, Field(max_length=100)]
    name: Title
    category: Category
    input_schema: JsonObject
    output_type: OutputType
    output_format: Annotated[Line, Field(min_length=1, max_length=20)]
    output_adapter: Adapter = "auto"
    description: Annotated[Paragraphs, Field(max_length=10_000)] | None = None
    estimated_seconds: EstimatedSeconds = 30
    queue_seconds: WaitSeconds = 600
    execution_timeout_seconds: TimeoutSeconds = 600
    gpu_class: GpuClass | None = None
    minimum_price_credits: Annotated[int, Field(ge=1, le=10_000), AS_NUMBER] = 1
    moderation: Moderation = "off"
    is_active: Flag = True


class BaseModelChanges(In):
    """Changes to a base model: a field left out stays as it is. Its slug never changes."""

    endpoint_id: uuid.UUID = Field(default_factory=uuid.uuid4)
    name: Title = Field(default_factory=str)
    category: Category = Field(default_factory=lambda: "IMAGE")
    input_schema: JsonObject = Field(default_factory=dict)
    output_type: OutputType = Field(default_factory=lambda: "JSON")
    output_format: Annotated[Line, Field(min_length=1, max_length=20)] = Field(default_factory=str)
    output_adapter: Adapter = Field(default_factory=str)
    description: Annotated[Paragraphs, Field(max_length=10_000)] | None = None
    estimated_seconds: EstimatedSeconds = Field(default_factory=int)
    queue_seconds: WaitSeconds = Field(default_factory=int)
    execution_timeout_seconds: TimeoutSeconds = Field(default_factory=int)
    gpu_class: GpuClass | None = None
    minimum_price_credits: Annotated[int, Field(ge=1, le=10_000), AS_NUMBER] = Field(
        default_factory=int
    )
    moderation: Moderation = Field(default_factory=lambda: "off")
    is_active: Flag = Field(default_factory=bool)


class BaseModelsQuery(Paging):
    """Filters of the staff's list of base models."""

    is_active: bool | None = None
    category: Category | None = None
    endpoint_id: uuid.UUID | None = None


class EndpointBrief(Out):
    """The endpoint of a base model, for staff only."""

    id: uuid.UUID
    name: str
    runpod_endpoint_id: str


class BaseModelAdmin(Out):
    """A base model as staff see it."""

    id: uuid.UUID
    endpoint_id: uuid.UUID
    slug: str
    name: str
    description: str | None
    category: Category
    input_schema: JsonObject
    schema_revision: int
    output_type: OutputType
    output_format: str
    output_adapter: str
    estimated_seconds: int
    queue_seconds: int
    execution_timeout_seconds: int
    gpu_class: str | None
    minimum_price_credits: int
    moderation: Moderation
    is_active: bool
    created_at: Timestamp
    updated_at: Timestamp
    endpoint: EndpointBrief
