"""The tables as the code sees them, for `alembic check`."""

import importlib
from pathlib import Path

from sqlalchemy import MetaData

from common.db import Table
from migrations.functions import COMMON, SLICES


def metadata() -> MetaData:
    """Imports every slice's tables.py and answers their common metadata."""
    for name in SLICES:
        if Path(COMMON / name / "tables.py").exists():
            importlib.import_module(f"common.{name}.tables")
    return Table.metadata
