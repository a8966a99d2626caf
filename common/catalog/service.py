"""The slice's surface: what functions may call. Each verb has a file of its own."""

from common.catalog.administering import (
    base_model_of,
    base_models,
    change_base_model,
    change_endpoint,
    create_base_model,
    create_endpoint,
    endpoint_of,
    endpoints,
    retire_base_model,
    retire_endpoint,
)
from common.catalog.browsing import browse, detail
from common.catalog.developing import (
    change_model,
    create_model,
    delete_model,
    model_count,
    model_of,
    models_of,
    offered_base_models,
    preview_form,
    preview_payload,
)
from common.catalog.gpu_pricing import add_gpu_price, gpu_prices
from common.catalog.keeping_awake import keep_awake
from common.catalog.publishing import act, archive, publish
from common.catalog.queries import fold_run_tallies
from common.catalog.running import Runnable, runnable, testable

__all__ = [
    "Runnable",
    "act",
    "add_gpu_price",
    "archive",
    "base_model_of",
    "base_models",
    "browse",
    "change_base_model",
    "change_endpoint",
    "change_model",
    "create_base_model",
    "create_endpoint",
    "create_model",
    "delete_model",
    "detail",
    "endpoint_of",
    "endpoints",
    "fold_run_tallies",
    "gpu_prices",
    "keep_awake",
    "model_count",
    "model_of",
    "models_of",
    "offered_base_models",
    "preview_form",
    "preview_payload",
    "publish",
    "retire_base_model",
    "retire_endpoint",
    "runnable",
    "testable",
]
