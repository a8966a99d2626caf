"""What a Cloud Task carries: an id, never state."""

import uuid

from common.http import In


class ExecutionTask(In):
    """Wakes one execution."""

    execution_id: uuid.UUID
