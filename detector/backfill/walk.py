"""Files under the paths that were named: in one order, each once, and no link is followed out of them."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple

from detector.errors import SetupError

MAX_FOLDERS_DEEP: Final = 32
"""Folders within each other that are gone into, below each path that was named."""
MAX_FILES: Final = 200_000
"""Files that are looked at; more are a mistake of whoever named the path."""

LINK, SPECIAL, SAME, UNOPENED, DEEP = "link", "not_a_file", "same_file", "cannot_be_opened", "too_deep"
PASSED: Final = {
    LINK: "a symbolic link: not followed",
    SPECIAL: "no regular file",
    SAME: "was read under another name",
    UNOPENED: "cannot be opened",
    DEEP: f"a folder more than {MAX_FOLDERS_DEEP} levels down",
}
"""Why something under a path is not looked into."""


class OpenFile(NamedTuple):
    """A regular file, open for reading."""

    name: str
    """Its path as it was named, with what is below; never resolved."""
    file: IO[bytes]


class Walk:
    """Goes through paths, folders recursively; folders and files in the order of their names.

    Parameters
    ----------
    paths : sequence of Path
        As they were named. One that is a link itself is followed: somebody said so; links below are not.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._seen: set[tuple[int, int]] = set()
        self.passed: Counter[str] = Counter()
        """What was not looked into, by reason."""

    def size(self) -> int:
        """Return the bytes of all files, for a progress bar; what cannot be asked counts nothing."""
        total = 0
        for path in self._paths:
            if not path.is_dir():
                total += path.stat().st_size if path.is_file() else 0
                continue
            for folder, _, files in os.walk(path):
                for name in files:
                    try:
                        about = Path(folder, name).lstat()
                    except OSError:
                        continue
                    total += about.st_size if stat.S_ISREG(about.st_mode) else 0
        return total

    def files(self) -> Generator[OpenFile]:
        """Yield each regular file once, open; the one before is closed.

        Raises
        ------
        SetupError
            A path that was named is not there, or there are too many files.
        """
        for path in self._paths:
            if path.is_dir():
                yield from self._below(path)
            elif path.is_file():
                with self._opened(os.fspath(path), None, os.O_RDONLY) as file:
                    if file is not None:
                        yield OpenFile(os.fspath(path), file)
            else:
                raise SetupError(f"PATH of backfill must be a file or a folder that is there, got {path}")

    def _below(self, top: Path) -> Iterator[OpenFile]:
        """Yield the files of a folder; each is opened by the folder it was found in, so that none is swapped."""
        top = top.resolve() if top.is_symlink() else top
        for folder, folders, files, descriptor in os.fwalk(top, onerror=self._pass_over):
            folders.sort()
            if len(Path(folder).relative_to(top).parts) >= MAX_FOLDERS_DEEP:
                self.passed[DEEP] += len(folders)
                folders.clear()
            if links := sum(_is_link(name, descriptor) for name in folders):
                self.passed[LINK] += links
            for name in sorted(files):
                if len(self._seen) + self.passed.total() >= MAX_FILES:
                    raise SetupError(f"files under PATH of backfill must be at most {MAX_FILES}: name a folder below")
                with self._opened(name, descriptor, os.O_RDONLY | os.O_NOFOLLOW) as file:
                    if file is not None:
                        yield OpenFile(os.fspath(Path(folder, name)), file)

    def _pass_over(self, _: OSError) -> None:
        self.passed[UNOPENED] += 1

    @contextmanager
    def _opened(self, name: str, folder: int | None, flags: int) -> Iterator[IO[bytes] | None]:
        """Open a regular file that was not seen yet; None, and counted, for anything else."""
        try:
            # without waiting: a pipe without a writer would hold us for ever
            descriptor = os.open(name, flags | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except OSError:
            self.passed[LINK if folder is not None and _is_link(name, folder) else UNOPENED] += 1
            yield None
            return
        about = os.fstat(descriptor)
        key = (about.st_dev, about.st_ino)
        if not stat.S_ISREG(about.st_mode) or key in self._seen:
            os.close(descriptor)
            self.passed[SAME if key in self._seen else SPECIAL] += 1
            yield None
            return
        self._seen.add(key)
        with os.fdopen(descriptor, "rb") as file:
            yield file


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False
