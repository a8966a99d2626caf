"""How far a job has come, by what its worker sends along while it runs. Pure.

A worker may report any JSON as its progress (runpod.md section 3.3), and may repeat inputs in it
that the developer hides: so a consumer is shown a number and nothing else.
"""

import re
from typing import Any

_NAMES = ("progress", "percent", "percentage")
_TEXT = re.compile(r"\s*(\d{1,3}(?:\.\d{1,6})?)\s*%\s*")


def percent_of(told: Any) -> int | None:
    """Whole percent from 0 to 100; None for all that is no clear number of percent.

    42, 42.5, 0.42, "42 %" or {"progress": 42} are 42. A fraction is a number with a point, up to 1.
    """
    if isinstance(told, dict):
        told = next((told[name] for name in _NAMES if name in told), None)
    if isinstance(told, str):
        found = _TEXT.fullmatch(told)
        number = float(found[1]) if found else None
    elif isinstance(told, float):
        number = told * 100 if told <= 1 else told
    else:
        number = told if isinstance(told, int) and not isinstance(told, bool) else None
    return int(number) if number is not None and 0 <= number <= 100 else None
