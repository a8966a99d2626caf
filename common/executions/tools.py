"""What the steps of a run work with; common.runtime.Runtime is one."""

from typing import TYPE_CHECKING, Protocol

from common.clock import Clock
from common.db import Database
from common.settings import Settings
from common.tracing import Traces

if TYPE_CHECKING:
    from common.gateways.outbound import Outbound
    from common.gateways.runpod import RunPod
    from common.gateways.storage import Storage
    from common.gateways.tasks import Tasks


class Tools(Protocol):
    """The database and the gateways, each built when it is first needed."""

    @property
    def settings(self) -> Settings: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def db(self) -> Database: ...

    @property
    def runpod(self) -> "RunPod": ...

    @property
    def tasks(self) -> "Tasks": ...

    @property
    def storage(self) -> "Storage": ...

    @property
    def upload_storage(self) -> "Storage": ...

    @property
    def outbound(self) -> "Outbound": ...

    @property
    def traces(self) -> Traces: ...
