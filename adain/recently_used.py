"""A cache of the most recently used values, of limited size."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class RecentlyUsed(Generic[T]):
    """A cache that keeps the most recently used values; several threads may share it.

    Args:
        limit: maximum sum of the sizes of all values; the newest value is always kept.
        size: returns the size of a value; by default 1.
    """

    def __init__(self, limit: int, size: Callable[[T], int] = lambda value: 1) -> None:
        self._left, self._size = limit, size
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._lock, self._making = threading.Lock(), threading.Lock()

    def peek(self, key: Hashable) -> T | None:
        """Return the value of a key if it is cached, else None."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key]

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of a key; if it is not cached, call make(), in one thread at a time."""
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
