"""When Cloud Tasks tries again, and when it gives up (platform.md section 3, RetryConfig)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """A queue's retry settings; durations in seconds, the defaults are Cloud Tasks' own."""

    max_attempts: int = 100
    max_retry_duration: float = 0.0
    min_backoff: float = 0.1
    max_backoff: float = 3600.0
    max_doublings: int = 16

    def backoff(self, failures: int) -> float:
        """Seconds to wait after that many failures: doubling, then linear, then flat."""
        doublings = min(failures - 1, self.max_doublings)
        doubled = self.min_backoff * 2.0**doublings
        linear = doubled * (failures - 1 - doublings)
        return min(doubled + linear, self.max_backoff)

    def gives_up(self, *, attempts: int, age: float) -> bool:
        """Whether every limit that is set has been reached; `age` counts from the first attempt."""
        reached = []
        if self.max_attempts > 0:
            reached.append(attempts >= self.max_attempts)
        if self.max_retry_duration > 0:
            reached.append(age >= self.max_retry_duration)
        return bool(reached) and all(reached)
