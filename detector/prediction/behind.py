"""Work behind: writing results overlaps with whatever makes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class Behind:
    """Does things in a thread, one after the other; as a context it ends when all is done.

    Args:
        most: as many wait to be done; whoever brings one more waits, too.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._pool = ThreadPoolExecutor(1, "write")
        self._waiting: deque[Future[None]] = deque()

    def do(self, act: Callable[[], None]) -> None:
        """Have something done, once there is room for it; raises what an earlier one raised."""
        self._waiting.append(self._pool.submit(act))
        if len(self._waiting) > self._most:
            self._waiting.popleft().result()

    def __enter__(self) -> Behind:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait until all is done; after an error, for the thing at hand alone."""
        try:
            while kind is None and self._waiting:
                self._waiting.popleft().result()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
