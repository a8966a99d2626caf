"""What payments work with; common.runtime.Runtime is one."""

from typing import TYPE_CHECKING, Protocol

from common.clock import Clock
from common.db import Database
from common.settings import Settings

if TYPE_CHECKING:
    from common.gateways.stripe import Stripe


class Books(Protocol):
    """The database, the time and what an operator set."""

    @property
    def settings(self) -> Settings: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def db(self) -> Database: ...


class Tools(Books, Protocol):
    """The books and Stripe, built when it is first needed."""

    @property
    def stripe(self) -> "Stripe": ...
