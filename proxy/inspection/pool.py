"""A bounded pool of threads whose stuck members keep nobody waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Generic, TypeVar

Result = TypeVar("Result")


class PoolFullError(Exception):
    """All workers are busy and the queue is full, or the pool is closed."""


class WorkerPool(Generic[Result]):
    """``workers`` threads, and at most ``queue`` jobs that wait for one.

    A job that its caller gave up on keeps its place until it ends, so that jobs that never end cannot pile up. The
    threads are daemons: unlike those of ``concurrent.futures`` they cannot hold up the end of the process.
    """

    def __init__(self, workers: int, queue: int) -> None:
        if workers < 1 or queue < 0:
            raise ValueError("a pool has at least one worker and a queue of at least 0")
        self._places = threading.BoundedSemaphore(workers + queue)
        self._jobs: SimpleQueue[tuple[Future[Result], Callable[[], Result]] | None] = SimpleQueue()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name="scopegate-gate", daemon=True) for _ in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Callable[[], Result]) -> Future[Result]:
        """Have ``job`` done. Cancelling the future before it is begun takes it out of the queue.

        Raises:
            PoolFullError: there is no place for it.
        """
        if self._closed or not self._places.acquire(blocking=False):
            raise PoolFullError
        future: Future[Result] = Future()
        self._jobs.put((future, job))
        return future

    def close(self) -> None:
        """Take no more jobs, fail those that wait, and let the threads end; does not wait for a job that is running."""
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            future, job = item
            tell = self._done(future, job) if future.set_running_or_notify_cancel() else None
            # Before the caller is told, who may have the next job ready.
            self._places.release()
            if tell is not None:
                tell()

    def _done(self, future: Future[Result], job: Callable[[], Result]) -> Callable[[], None]:
        """Do the job; the answer tells whoever waits for it how it went."""
        try:
            if self._closed:
                raise PoolFullError  # noqa: TRY301 - told like every other failure
            return partial(future.set_result, job())
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the result
            return partial(future.set_exception, error)
