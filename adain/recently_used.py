"""Keep the values that were used last, within a limit."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class RecentlyUsed(Generic[T]):
    """Keeps the most recently used values, up to `limit`; threads can share it.

    Args:
        limit: Maximum sum of the sizes of all values. The last value is kept whatever its size.
        size: Returns the size of a value. Each counts 1 without it.
    """

    def __init__(self, limit: int, size: Callable[[T], int] = lambda value: 1) -> None:
        self._left, self._size = limit, size
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._lock, self._making = threading.Lock(), threading.Lock()

    def peek(self, key: Hashable) -> T | None:
        """Return a value if it is kept, else None."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key]

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return a value; make it if it is not kept, one thread at a time."""
        value = self.peek(key)
        if value is None:
            with self._making:
                value = self.peek(key)  # another thread may just have made it
                if value is None:
                    value = self._add(key, make())
        return value

    def _add(self, key: Hashable, value: T) -> T:
        with self._lock:
            self._kept[key] = value
            self._left -= self._size(value)
            while self._left < 0 and len(self._kept) > 1:
                self._left += self._size(self._kept.popitem(last=False)[1])
        return value
