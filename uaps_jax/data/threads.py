"""Images that several threads read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import grain

THREADS = 4

Item = TypeVar("Item")
Result = TypeVar("Result")


def mapped(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    ahead: int = 4 * THREADS,
    count: int = THREADS,
) -> Iterator[Result]:
    """A function of each item, in their order.

    Args:
      function: is called by several threads.
      items: its arguments.
      ahead: number of results that are kept until they are asked for; few where they are large.
      count: number of threads.
    """
    options = grain.ReadOptions(num_threads=count, prefetch_buffer_size=ahead)
    dataset = grain.MapDataset.source(items).map(function)
    yield from dataset.to_iter_dataset(options, allow_nones=True)
