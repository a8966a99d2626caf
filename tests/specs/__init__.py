"""What others publish about their interfaces, brought down to what our tests hold us against."""

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
RUNPOD, STRIPE = "runpod-management.json", "stripe-shapes.json"


@cache
def spec(name: str) -> dict[str, Any]:
    """RUNPOD: operations and schemas of its management API, without prose. STRIPE: of each kind of
    object an example in which every value is the emptiest of its type."""
    found: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return found
