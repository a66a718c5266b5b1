"""Read ahead in a background thread, so that decoding and labelling overlap."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

_Item = TypeVar("_Item")
_POLL_SECONDS = 0.1


class _End:
    """Last thing in the queue; carries the source's error, if it raised one."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(items: Iterator[_Item], depth: int) -> Iterator[_Item]:
    """The same items in the same order, up to ``depth`` of them made ahead.

    Closing the generator early stops the thread.

    Args:
        items: read in a background thread.
        depth: most items held ready, >= 1.

    Raises:
        Exception: whatever ``items`` raised, at the place where it raised it.
    """
    ready: queue.Queue[_Item | _End] = queue.Queue(depth)
    stop = threading.Event()

    def offer(item: _Item | _End) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not offer(item):
                    return
        # Whatever it is, it belongs to the consumer: it is raised there.
        except BaseException as caught:
            error = caught
        offer(_End(error))

    thread = threading.Thread(target=read, name="prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        thread.join()
