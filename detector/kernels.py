"""Compiling the kernels, told while it happens: a first run takes a minute, on a busy machine several."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

NOTICE = "compiling kernels, a minute or more, once per version (`detector kernels` does it beforehand)"

EVERY_S = 2.0


class KernelStep(NamedTuple):
    """One kernel about to be compiled.

    Attributes
    ----------
    kernel : str
        Module and function, without the package.
    begun : int
        Kernels begun so far, this one counted; one that is compiled for several types counts once.
    of : int
        Kernels of all modules loaded.
    """

    kernel: str
    begun: int
    of: int


@contextmanager
def kernels_told(told: Callable[[KernelStep], None]) -> Iterator[None]:
    """Within the block every kernel is told before it is compiled; those that lie on disk are not compiled."""
    from numba.core.event import Listener, install_listener

    class Teller(Listener):
        """Hears of every compilation as it begins; an inner kernel begins within the one that calls it."""

        def __init__(self) -> None:
            self._begun: set[str] = set()

        def on_start(self, event: Any) -> None:  # noqa: ANN401
            name = _name_of(event.data["dispatcher"])
            if name.startswith("detector.") and name not in self._begun:
                self._begun.add(name)
                told(KernelStep(name.removeprefix("detector."), len(self._begun), max(len(self._begun), _loaded())))

        def on_end(self, event: Any) -> None:  # noqa: ANN401
            """Say nothing: what matters is what is being waited for."""

    with install_listener("numba:compile", Teller()):
        yield


def at_times(
    told: Callable[[KernelStep], None], monotonic: Callable[[], float] = time.monotonic
) -> Callable[[KernelStep], None]:
    """Return what tells the first kernel, and then one every two seconds: most take a fraction of a second."""
    last = float("-inf")

    def tell(step: KernelStep) -> None:
        nonlocal last
        now = monotonic()
        if now - last >= EVERY_S:
            last = now
            told(step)

    return tell


@contextmanager
def notice_on_stderr() -> Iterator[None]:
    """Within the block one line on standard error says so if kernels have to be compiled."""
    is_said = False

    def told(_: KernelStep) -> None:
        nonlocal is_said
        if not is_said:
            is_said = True
            sys.stderr.write(f"detector: {NOTICE}\n")
            sys.stderr.flush()

    with kernels_told(told):
        yield


def _name_of(dispatcher: Any) -> str:  # noqa: ANN401
    return f"{dispatcher.py_func.__module__}.{dispatcher.py_func.__qualname__}"


def _loaded() -> int:
    """Return how many kernels the loaded modules of ours define."""
    from numba.core.dispatcher import Dispatcher

    ours = [module for name, module in list(sys.modules.items()) if name.startswith("detector.")]
    return len({_name_of(value) for module in ours for value in vars(module).values() if isinstance(value, Dispatcher)})
