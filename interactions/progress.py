"""Progress of what takes long, on a bar of tqdm's where one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(total: int, unit: str, *, shown: bool) -> Iterator[Callable[[int], object]]:
    """A bar on standard error, gone when it is done; calling what it gives with n moves it on.

    ImportError where one is to be shown and tqdm, which is no dependency, is not installed.
    """
    if not shown:
        yield lambda n: None
        return
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install tqdm") from error
    with tqdm(total=total, unit=unit, leave=False) as bar:
        yield bar.update
