"""What analytics work with; common.runtime.Runtime is one."""

from typing import TYPE_CHECKING, Protocol

from common.payments.tools import Books

if TYPE_CHECKING:
    from common.gateways.runpod_bills import RunPodBills


class Tools(Books, Protocol):
    """The books and RunPod's bills."""

    @property
    def runpod_bills(self) -> "RunPodBills": ...
