"""Ids and tokens from the seed.

The code under test draws uuid4 and tokens from the operating system, through `os.urandom`. That
is an outermost edge like the clock, and the one place at which it can be replaced without the code
knowing: for the time of a run this process gets its random bytes from the seed.
"""

import os
import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random


@contextmanager
def seeded_entropy(rng: Random) -> Iterator[None]:
    """Within the block every uuid4 and every token of this process follows from `rng`."""
    system, of_secrets = os.urandom, random._urandom  # type: ignore[attr-defined]
    os.urandom = rng.randbytes
    random._urandom = rng.randbytes  # type: ignore[attr-defined]
    try:
        yield
    finally:
        os.urandom = system
        random._urandom = of_secrets  # type: ignore[attr-defined]


def new_id(rng: Random) -> str:
    """A version 4 UUID as text."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
