"""The functions behind the front door, for the smoke."""

from tests.functions.conftest import apps, tokens

__all__ = ["apps", "tokens"]
