"""The team's rate limits, counted per model: requests per second, tokens per minute."""

from __future__ import annotations

from collections import deque

from bench.simulator.profile import Limits


class Quota:
    """One model's use of the limits, over sliding windows. Times are seconds."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._requests: deque[float] = deque()
        self._tokens: deque[tuple[float, int]] = deque()
        self._spent = 0

    def take(self, now_s: float) -> int | None:
        """Counts a request; None if it is within the limits, else how many there were."""
        self._forget(now_s)
        over = len(self._requests) >= self.limits.requests_per_second
        if over or self._spent >= self.limits.tokens_per_minute:
            return len(self._requests)
        self._requests.append(now_s)
        return None

    def spend(self, now_s: float, tokens: int) -> None:
        """Counts the tokens of an answer."""
        self._tokens.append((now_s, tokens))
        self._spent += tokens

    def remaining(self, now_s: float) -> tuple[int, int]:
        """Requests and tokens left, as the headers tell them."""
        self._forget(now_s)
        requests = self.limits.requests_per_second - len(self._requests)
        return max(0, requests), max(0, self.limits.tokens_per_minute - self._spent)

    def _forget(self, now_s: float) -> None:
        while self._requests and self._requests[0] <= now_s - 1.0:
            self._requests.popleft()
        while self._tokens and self._tokens[0][0] <= now_s - 60.0:
            self._spent -= self._tokens.popleft()[1]
