"""CUDA graphs: what a GPU does in one step, recorded once and then replayed.

The steps of small networks are short, and launching their many operations one by one takes a
GPU longer than the operations themselves. A recorded graph launches them all at once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class Recorded:
    """A function that changes tensors in place, recorded at its second call and replayed from then.

    The first call runs the function as it stands, on a stream of its own, which recording asks
    for. A graph reads and writes the addresses it was recorded with: arguments that are tensors
    are copied there, so they must keep their shapes; all other arguments must be the same at
    every call. The function must return nothing and never wait for the GPU.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function
        self._graph: torch.cuda.CUDAGraph | None = None
        self._arguments: list[object] | None = None

    def __call__(self, *arguments: object) -> None:
        if self._arguments is None:
            self._arguments = [a.clone() if isinstance(a, Tensor) else a for a in arguments]
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                self._function(*self._arguments)
            torch.cuda.current_stream().wait_stream(stream)
            return
        for own, given in zip(self._arguments, arguments, strict=True):
            if isinstance(own, Tensor):
                own.copy_(given)
        if self._graph is None:
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._function(*self._arguments)
        self._graph.replay()
