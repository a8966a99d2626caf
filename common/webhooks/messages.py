"""What a delivery's task carries."""

from pydantic import Field

from common.http import In


class DeliveryTask(In):
    """Which delivery is due."""

    delivery_id: int = Field(ge=1, le=2**63 - 1)
