"""Reading ahead and writing behind, so that decoding, the network and encoding overlap.

One thread each: OpenCV and NumPy let others run while they work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar('Item')

_END = object()


def prefetched(iterable: Iterable[Item], size: int) -> Iterator[Item]:
    """The same items. Another thread makes up to ``size`` of them ahead.

    An exception of the iterable is raised here, after the items before it. When the consumer stops early (``close``,
    an exception, Ctrl-C) at most the item in the making is finished, and a generator is closed.
    """
    iterator = iter(iterable)
    reader = ThreadPoolExecutor(1, thread_name_prefix='reader')
    try:
        ahead = deque(reader.submit(next, iterator, _END) for _ in range(size))
        while (item := ahead.popleft().result()) is not _END:
            ahead.append(reader.submit(next, iterator, _END))
            yield item
    finally:
        reader.shutdown(cancel_futures=True)
        if hasattr(iterator, 'close'):
            iterator.close()


class BackgroundWriter:
    """Runs a function for one item after another in another thread, in a ``with`` statement.

    On leaving the block, after Ctrl-C or an error too, all that was handed over is written first.

    Args:
        function: what writes.
        size: how many calls may wait. :meth:`write` waits while there are more.
    """

    def __init__(self, function: Callable[..., Any], size: int) -> None:
        self._function = function
        self._size = size
        self._thread = ThreadPoolExecutor(1, thread_name_prefix='writer')
        self._waiting: deque[Future] = deque()

    def write(self, *args: Any) -> None:
        """Call the function with these arguments soon.

        Raises:
            Exception: what the function raised in an earlier call. These arguments are not written then.
        """
        while self._waiting and (self._waiting[0].done() or len(self._waiting) > self._size):
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(self._function, *args))

    def close(self) -> None:
        """Wait until all is written.

        Raises:
            Exception: what the function raised first, since the last :meth:`write`.
        """
        self._thread.shutdown()
        errors = [error for call in self._waiting if (error := call.exception())]
        self._waiting.clear()
        if errors:
            raise errors[0]

    def __enter__(self) -> BackgroundWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except Exception:
            if kind is None:  # else the error that is on its way matters more
                raise
