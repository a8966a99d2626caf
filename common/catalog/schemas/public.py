"""What everyone may read: published models, without anything that their developers hide.

The database writes these in their wire form (the view `offers` in functions.sql); the classes
say what it writes, for the document and for the test that compares the two.
"""

import uuid
from typing import Annotated

from pydantic import Field

from common.catalog.tables import Category, OutputType
from common.http import JsonObject, Out, Paging, Timestamp
from common.text import Line


class BrowseQuery(Paging):
    """Filters of the public list."""

    category: Category | None = None
    search: Annotated[Line, Field(max_length=100)] = ""


class ModelDeveloper(Out):
    """Who made a model."""

    id: uuid.UUID
    name: str | None


class PublicBaseModel(Out):
    """What kind of model it is."""

    name: str
    category: Category
    output_type: OutputType
    output_format: str
    estimated_seconds: int


class PublicBaseModelForm(PublicBaseModel):
    """What kind of model it is, and the form for its inputs."""

    input_schema: JsonObject


class PublicModelItem(Out):
    """A published model in the public list; the base model's fields stand nested and flat."""

    id: uuid.UUID
    slug: str
    title: str
    description: str | None
    price_credits: int
    total_runs: int
    published_at: Timestamp
    developer: ModelDeveloper
    base_model: PublicBaseModel
    category: Category
    output_type: OutputType
    output_format: str
    estimated_seconds: int


class PublicModelOut(PublicModelItem):
    """A published model with the form for its inputs."""

    base_model: PublicBaseModelForm
    input_schema: JsonObject
