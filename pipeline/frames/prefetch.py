"""Work ahead in a background thread: decoding overlaps with whatever consumes the frames."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


def prefetch(items: Iterator[T], depth: int) -> Iterator[T]:
    """Iterate over ``items`` in a background thread, at most ``depth`` items ahead.

    The thread starts with the first ``next()`` and ends with the last item, with an exception, or when
    the returned generator is closed or dropped. At most ``depth`` items wait, one more is being made.

    Args:
        items: consumed in the thread and there only; a generator is closed there too.
        depth: number of items to keep ready, >= 1.

    Returns:
        The same items in the same order. An exception raised by ``items`` is raised here, after the items
        that came before it.

    Raises:
        ValueError: ``depth`` is below 1.
    """
    if depth < 1:
        raise ValueError(f"prefetch depth must be at least 1, got {depth}")
    return _consume(_Buffer(items, depth))


def _consume(buffer: _Buffer[T]) -> Generator[T, None, None]:
    thread = threading.Thread(target=buffer.fill, name="prefetch", daemon=True)
    thread.start()
    try:
        yield from buffer.drain()
    finally:
        buffer.close()
        thread.join()


class _Buffer(Generic[T]):
    """A bounded queue between one filling thread and one draining consumer."""

    def __init__(self, items: Iterator[T], depth: int) -> None:
        self._items = items
        self._depth = depth
        self._ready: deque[T] = deque()
        self._changed = threading.Condition()
        self._finished = False
        self._closed = False
        self._error: BaseException | None = None

    def fill(self) -> None:
        """Thread: put all items, then the end or the error."""
        error: BaseException | None = None
        try:
            for item in self._items:
                if not self._put(item):
                    break
                del item  # else one item more than promised stays alive while the next one is made
            if isinstance(self._items, Generator):
                self._items.close()
        except BaseException as raised:  # whatever it is, it belongs to the consumer
            error = raised
        with self._changed:
            self._finished, self._error = True, error
            self._changed.notify_all()

    def _put(self, item: T) -> bool:
        """Wait for room; false if nobody wants more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._ready) < self._depth)
            if not self._closed:
                self._ready.append(item)
                self._changed.notify_all()
            return not self._closed

    def drain(self) -> Iterator[T]:
        """Consumer: the items in order, then the error if there was one."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._finished)
                if not self._ready:
                    break
                item = self._ready.popleft()
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Consumer: tell the thread to stop and drop what is ready."""
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._changed.notify_all()
