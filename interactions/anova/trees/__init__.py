"""Exact spectra of tree ensembles: a reader per library, leaves, and their pairs."""

from ._reading import understands
from ._spectrum import tree_spectrum
from ._structure import UnreadableModelError
from ._whole import whole_spectrum

__all__ = ["UnreadableModelError", "tree_spectrum", "understands", "whole_spectrum"]
