"""What the catalogue decides, one file per verb; here is what a run needs of it."""

from common.catalog.service.running import Runnable, runnable, testable

__all__ = ["Runnable", "runnable", "testable"]
