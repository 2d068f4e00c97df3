"""What makes a function a kernel: compiled once for its types, kept on disk, and counting no references to arrays.

numba counts a reference, in one atomic step, whenever an array passes into a function or out of a tuple: with some
sixty arrays in hand that was two fifths of all that an event costs (``benchmarks/RESULTS.md``, *Speed of the core*).
There is nothing to count: who calls the first kernel keeps its arrays alive until it returns, and within kernels
arrays are only read, written and sliced. One that makes an array of its own has to say so, or numba refuses to compile
it.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from numba import njit

kernel: Final = partial(njit, cache=True, _nrt=False)
"""Decorates a function that makes no array; `inline` and `nogil` as numba has them."""

allocating_kernel: Final = partial(njit, cache=True, _nrt=True)
"""Decorates a function that makes an array: it counts references, and frees what it made."""
