"""A bar that shows how far what takes long has come, where the user asks for one."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import numpy as np


class Bar:
    """A tqdm bar from the moment it is entered to its end, or nothing.

    What it counts is told in sums, so that it need not be entered when counting begins.

    Parameters
    ----------
    progress : bool or str
        Whether to show anything; a text stands before the bar.
    unit : str
        What is counted.

    Raises
    ------
    ImportError
        Where a bar is asked for and tqdm is not installed.
    """

    def __init__(self, progress: bool | str, *, unit: str = "evaluations") -> None:
        self.progress = progress
        self._options = {"unit": f" {unit}", "leave": False}
        self._shown: Any = None
        if progress:
            self._options["desc"] = progress if isinstance(progress, str) else None
            try:
                from tqdm.auto import tqdm
            except ImportError as error:
                raise ImportError(
                    'progress=True needs tqdm: pip install "interactions[progress]", or leave '
                    "progress away"
                ) from error
            self._tqdm = tqdm

    def __enter__(self) -> Self:
        if self.progress:
            self._shown = self._tqdm(**self._options)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown is not None:
            self._shown.close()
            self._shown = None

    def within(self, total: int) -> None:
        """Say how many there will be at most."""
        if self._shown is not None:
            self._shown.total = total
            # Twelve epochs are 12, a million evaluations 1.00M.
            self._shown.unit_scale = total >= 10_000
            self._shown.refresh()

    def at(self, count: int) -> None:
        """Say how many there have been so far."""
        if self._shown is not None:
            self._shown.update(count - self._shown.n)

    def advance(self, count: int) -> None:
        """Say how many there have been beside those before."""
        if self._shown is not None:
            self._shown.update(count)

    def reached(self, share_error: np.ndarray, tolerance: float) -> None:
        """Say how large the errors of the shares still are."""
        if self._shown is not None and not np.isnan(share_error).all():
            error = np.nanmax(share_error)
            self._shown.set_postfix_str(f"shares ± {error:.2g}, wanted {tolerance:.2g}")
