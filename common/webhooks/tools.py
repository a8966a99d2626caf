"""What deliveries work with; common.runtime.Runtime is one."""

from typing import TYPE_CHECKING, Protocol

from common.clock import Clock
from common.db import Database
from common.settings import Settings

if TYPE_CHECKING:
    from common.gateways.outbound import Outbound
    from common.gateways.tasks import Tasks


class Tools(Protocol):
    """The database, the queue, and the way to strangers."""

    @property
    def settings(self) -> Settings: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def db(self) -> Database: ...

    @property
    def tasks(self) -> "Tasks": ...

    @property
    def outbound(self) -> "Outbound": ...
