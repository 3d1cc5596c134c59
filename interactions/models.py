"""Models as they come, as functions to measure: estimators, and modules that want or return more.

`order_spectrum(estimator, frame)` needs nothing from here: a fitted estimator, or a method of one,
is measured by its probabilities or its predictions, on data frames with the columns it was fitted
on. A module that takes integers, several arguments, or returns several things is told apart by

    adapt(model, arguments={"numbers": ["age", "income"], "codes": ["city"]},
          dtype={"codes": torch.long}, output="logits")
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from .arrays import of_pandas
from .inputs import Empirical, Inputs

METHODS = ("predict_proba", "decision_function", "predict")
"""Methods of a classifier in the order they are taken; of other estimators, predict."""
MADE_UP = "Column_"
"""Names that LightGBM gives columns which came without."""

Output = Hashable | Sequence[Hashable] | Callable[[object], Tensor]
Columns = Iterable[int | str] | slice


@dataclass(frozen=True)
class Estimator:
    """Predictions of a fitted estimator for data frames or arrays [n, D].

    Attributes
    ----------
    method : callable
        What is asked.
    columns : tuple or None
        Names of the columns that the estimator was fitted on, where it had names.
    outputs : tuple of str or None
        Names of what it returns: classes.
    second : bool
        Whether of two columns the second is taken, for the first is one minus it.
    said : str
        What a result says of it.
    """

    method: Callable[..., Any]
    columns: tuple[Hashable, ...] | None
    outputs: tuple[str, ...] | None
    second: bool
    said: str

    def __call__(self, x: pd.DataFrame | np.ndarray) -> object:
        if isinstance(x, pd.DataFrame) and self.columns is not None:
            if isinstance(x.columns, pd.RangeIndex):
                x = x.set_axis([*self.columns], axis=1)
            x = x[[*self.columns]]
        out = self.method(x)
        if isinstance(out, list):
            raise ValueError(
                "the estimator returns a list, a table for each of its targets: measure one of "
                "them, lambda frame: estimator.predict_proba(frame)[0]"
            )
        return np.asarray(out)[:, 1] if self.second else out


def as_function(model: object) -> Callable[..., Any]:
    """A model in a form that can be called: an estimator's method, or the model itself.

    Raises
    ------
    ValueError
        For what can neither be called nor predict, and for a class of estimators.
    """
    if isinstance(model, type) and hasattr(model, "predict"):
        raise ValueError(f"{model.__name__} is a class: fit one, {model.__name__}().fit(x, y)")
    owner = getattr(model, "__self__", None)
    if isinstance(model, nn.Module) or (callable(model) and not _predicts(owner)):
        return model
    if callable(model):
        return _estimator(owner, model.__name__)
    if not _predicts(model):
        raise ValueError(f"function must be callable, or an estimator; got {type(model).__name__}")
    classes = getattr(model, "classes_", None)
    named = METHODS if classes is not None else ("predict",)
    return _estimator(model, next(name for name in named if hasattr(model, name)))


def _predicts(model: object) -> bool:
    return hasattr(model, "predict") and not isinstance(model, (type, nn.Module))


def _estimator(model: object, name: str) -> Estimator:
    classes = getattr(model, "classes_", None)
    said = f"{name} of {type(model).__name__}"
    outputs, second = None, False
    if name == "predict_proba" and isinstance(classes, np.ndarray):
        outputs = tuple(map(str, classes))
        if len(outputs) == 2:
            outputs, second = outputs[1:], True
            said += f", probability of {classes[1]!s}"
    method = getattr(model, name)
    # A booster of XGBoost predicts for a matrix of its own, or for anything by another method.
    method = getattr(model, "inplace_predict", method) if name == "predict" else method
    columns = getattr(model, "feature_names_in_", None)
    columns = getattr(model, "feature_names", None) if columns is None else columns
    if columns is not None:
        columns = tuple(columns)
        if all(str(c) == f"{MADE_UP}{j}" for j, c in enumerate(columns)):
            columns = None
    return Estimator(method, columns, outputs, second, said)


def as_inputs(model: object, inputs: object) -> Inputs:
    """The inputs themselves, or those that a data frame stands for: its columns' marginals.

    Of a frame with more columns than an estimator was fitted on, those that it was.

    Raises
    ------
    TypeError
        For what is neither.
    ValueError
        Where columns that an estimator was fitted on are missing.
    """
    inputs, wanted = of_pandas(inputs), None
    if _predicts(model) or _predicts(getattr(model, "__self__", None)):
        # A model that is callable itself, as Keras has them, is called.
        wanted = getattr(as_function(model), "columns", None)
    there = getattr(inputs, "columns", None)
    if wanted is not None and there is not None and not isinstance(there, pd.RangeIndex):
        missing = [column for column in wanted if column not in there]
        if missing:
            raise ValueError(f"the estimator was fitted on columns that are missing: {missing}")
        inputs = inputs[[*wanted]] if isinstance(inputs, pd.DataFrame) else inputs
    if isinstance(inputs, pd.DataFrame):
        return Empirical(inputs)
    if not isinstance(inputs, Inputs):
        raise TypeError(
            "inputs must be a distribution such as Uniform(-1.0, 1.0, dim=25) or Empirical(data), "
            f"or a data frame; got {_instead(inputs)}"
        )
    return inputs


def _instead(inputs: object) -> str:
    """What was given for inputs, and what it might have been meant to be."""
    if isinstance(inputs, type):
        return f"the class {inputs.__name__} itself"
    if isinstance(inputs, pd.Series):
        return "Series: give Empirical(series.to_frame())"
    if isinstance(inputs, Mapping):
        return f"{type(inputs).__name__}: give Marginals of it"
    if isinstance(inputs, (list, tuple)):
        return f'{type(inputs).__name__}: give Marginals({{"age": .., "income": ..}}), by name'
    return type(inputs).__name__


class Adapted(nn.Module):
    """A model that is given its arguments and asked for one output: see `adapt`."""

    def __init__(
        self,
        model: Callable[..., Any],
        output: Output | None,
        arguments: Mapping[int | str, Columns],
        dtype: Mapping[int | str, torch.dtype],
        names: tuple[str, ...] | None,
    ) -> None:
        super().__init__()
        self.model = model
        self._output, self._arguments, self._dtype, self.outputs = output, arguments, dtype, names
        # The mode is the model's own.
        self.training = False

    @property
    def dtypes(self) -> Iterator[torch.dtype]:
        """In which points are to come: integers are told apart in no less than float32."""
        own = next((p.dtype for p in self.parameters() if p.is_floating_point()), torch.float32)
        yield from dict.fromkeys([torch.float64 if own == torch.float64 else torch.float32])
        yield torch.float64

    def bound(self, columns: Sequence[Hashable] | None) -> Adapted:
        """Itself with columns that were named given by number."""
        other = copy.copy(self)
        other._arguments = {
            key: some if isinstance(some, slice) else [_number(c, columns, key) for c in some]
            for key, some in self._arguments.items()
        }
        return other

    def forward(self, x: Tensor) -> Tensor:
        own = next((p.dtype for p in self.parameters() if p.is_floating_point()), x.dtype)
        positional, named = [], {}
        for key, some in self._arguments.items():
            part = x[:, some].to(self._dtype.get(key, own))
            if isinstance(key, str):
                named[key] = part
            else:
                positional.append(part)
        out = self.model(*positional, **named)
        if self._output is None:
            return out
        if callable(self._output):
            return self._output(out)
        if not isinstance(self._output, (list, tuple)):
            taken = _taken(out, self._output)
            self._called([self._output], [taken])
            return taken
        parts = [_taken(out, key) for key in self._output]
        self._called(self._output, parts)
        return torch.cat([part.reshape(len(x), -1) for part in parts], dim=1)

    def _called(self, keys: Sequence[Hashable], parts: Sequence[Tensor]) -> None:
        """Name the outputs by their keys, where the user gave no names and the keys are names."""
        if self.outputs is None and all(isinstance(key, str) for key in keys):
            widths = [part[0].numel() for part in parts]
            self.outputs = tuple(
                str(key) if width == 1 else f"{key} {i}"
                for key, width in zip(keys, widths, strict=True)
                for i in range(width)
            )


def adapt(
    model: Callable[..., Any],
    *,
    output: Output | None = None,
    arguments: Sequence[Columns] | Mapping[str, Columns] | None = None,
    dtype: torch.dtype | Mapping[int | str, torch.dtype] | None = None,
    names: Sequence[str] | None = None,
) -> Adapted:
    """A model of tensors as one that maps points [n, D] to [n] or [n, m], to be measured.

    Parameters
    ----------
    model : torch module, or callable of tensors
    output : str, int, several of them, or callable, optional
        Which of the things the model returns is measured: the key of a dict, the number in a tuple
        or the attribute of an object; several side by side; or what a function makes of them,
        `lambda out: out.logits[:, -1]`.
    arguments : sequence or dict of columns, optional
        Columns of the points that the arguments of the model are, in their order or by name: each a
        slice, or a list of numbers or of names of the inputs. Default: one argument of all.
    dtype : torch.dtype or dict of them by argument, optional
        Type of the arguments, `torch.long` for embeddings. Default: that of the model's parameters.
    names : sequence of str, optional
        What the outputs are called, classes for example. Default: their keys.

    Raises
    ------
    TypeError, ValueError
        For arguments without columns, and when called for outputs and columns that do not exist.

    Examples
    --------
    >>> order_spectrum(adapt(model, output="logits"), inputs)  # doctest: +SKIP
    >>> order_spectrum(adapt(model, arguments=[[0, 1], [2]]), inputs)  # doctest: +SKIP
    """
    if not callable(model):
        raise TypeError(f"model must be a module or a callable, got {type(model).__name__}")
    if arguments is None:
        arguments = dict(enumerate([slice(None)]))
    elif not isinstance(arguments, Mapping):
        arguments = dict(enumerate(arguments))
    for key, some in arguments.items():
        if isinstance(some, str) or not isinstance(some, (slice, Iterable)):
            raise TypeError(f"argument {key!r} must be a list of columns or a slice, got {some!r}")
    if isinstance(dtype, torch.dtype):
        dtype = dict.fromkeys(arguments, dtype)
    dtype = {} if dtype is None else dict(dtype)
    if not set(dtype) <= set(arguments):
        raise ValueError(f"dtype is for arguments {[*arguments]}, got {[*dtype]}")
    called = None if names is None else tuple(map(str, names))
    return Adapted(model, output, dict(arguments), dtype, called)


def _number(column: int | str, columns: Sequence[Hashable] | None, argument: int | str) -> int:
    if not isinstance(column, str):
        return int(column)
    if columns is None or column not in columns:
        shown = "have no names" if columns is None else f"have {[*columns]}"
        raise ValueError(f"argument {argument!r} has column {column!r}, the inputs {shown}")
    return list(columns).index(column)


def _taken(out: object, key: Hashable) -> Tensor:
    if isinstance(out, Mapping) and key in out:
        return out[key]
    if isinstance(key, int) and isinstance(out, (tuple, list)) and 0 <= key < len(out):
        return out[key]
    if isinstance(key, str) and not isinstance(out, (Mapping, Tensor)) and hasattr(out, key):
        return getattr(out, key)
    there = f"a {type(out).__name__}"
    if isinstance(out, (Mapping, tuple, list)):
        there = str([*out] if isinstance(out, Mapping) else [*range(len(out))])
    raise ValueError(f"the model returns no output {key!r}: it returns {there}")


def hint(error: Exception) -> str:
    """What to do about an error that torch or Python gives for a model of another kind."""
    text = str(error)
    if isinstance(error, TypeError) and "required positional argument" in text:
        return (
            ". For a model of several arguments say which columns are which: "
            "interactions.models.adapt(model, arguments=[[0, 1], [2]])"
        )
    if "Long, Int" in text or "index tensor" in text or "must be long" in text:
        return (
            ". The model wants integers: give inputs of whole numbers, Empirical(codes), or where "
            "some arguments are numbers, interactions.models.adapt(model, arguments=..., dtype=...)"
        )
    if "conv" in text and "Expected" in text:
        return (
            ". Points are rows [n, d]: put their shape before the model, as in "
            "nn.Sequential(nn.Unflatten(1, (1, 28, 28)), model)"
        )
    if "shapes cannot be multiplied" in text:
        return ". Is d what the model takes? It is given rows [n, d]"
    return ""


def one_hot_groups(transformer: object) -> dict[str, list[int]]:
    """The columns that a fitted encoder makes of each category, by the category's name.

    They are `groups` for the encoded data: `Empirical(encoded, groups=one_hot_groups(encoder))`.

    Parameters
    ----------
    transformer : fitted scikit-learn transformer
        A OneHotEncoder, a Pipeline that ends in one, or a ColumnTransformer with some.

    Raises
    ------
    TypeError
        For a transformer without a fitted OneHotEncoder.
    """
    found = dict(_blocks(transformer, None, 0))
    if not found:
        raise TypeError(
            f"{type(transformer).__name__} holds no fitted OneHotEncoder: call its .fit(x) first"
        )
    return found


def _blocks(
    transformer: object, columns: Sequence[Hashable] | None, start: int
) -> Iterator[tuple[str, list[int]]]:
    """Names and columns of the blocks of a transformer, whose own columns begin at `start`."""
    if hasattr(transformer, "transformers_"):
        for name, part, own in transformer.transformers_:
            yield from _blocks(part, own, transformer.output_indices_[name].start)
    elif hasattr(transformer, "steps"):
        yield from _blocks(transformer.steps[-1][1], columns, start)
    elif hasattr(transformer, "categories_") and hasattr(transformer, "drop_idx_"):
        names = getattr(transformer, "feature_names_in_", columns)
        names = range(len(transformer.categories_)) if names is None else names
        dropped = transformer.drop_idx_
        # Columns of rare categories are one, where the encoder puts these together.
        rare = getattr(transformer, "infrequent_categories_", [None] * len(names))
        for j, (name, categories) in enumerate(zip(names, transformer.categories_, strict=True)):
            width = len(categories) - (0 if rare[j] is None else len(rare[j]) - 1)
            width -= dropped is not None and dropped[j] is not None
            yield str(name), [*range(start, start + width)]
            start += width
