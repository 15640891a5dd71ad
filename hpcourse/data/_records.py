"""What a loader returns: a data set in three parts, as arrays or as torch tensors."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hpcourse._check import require


class TensorSplit(NamedTuple):
    """One part of a data set as tensors: `x` float32 (n, ...) and `y` int64 (n,)."""

    x: torch.Tensor
    y: torch.Tensor


class TensorDataset(NamedTuple):
    """The three parts of a data set as tensors on one device."""

    train: TensorSplit
    validation: TensorSplit
    test: TensorSplit


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """One part of a data set.

    Attributes:
        x: Features, float32 (n, ...); the loader's docstring gives the shape.
        y: Class of each row as an index into ``Dataset.classes``, int64 (n,).

    Raises:
        ValueError: If a dtype differs, or `x` and `y` differ in length.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]

    def __post_init__(self) -> None:
        require(self.x.dtype == np.float32, "Split needs x of float32", x=self.x.dtype)
        require(self.y.dtype == np.int64, "Split needs y of int64", y=self.y.dtype)
        same = self.y.ndim == 1 and self.x.shape[:1] == self.y.shape
        need = "Split needs x of shape (n, ...) and y of shape (n,)"
        require(same, need, x=self.x.shape, y=self.y.shape)

    def __len__(self) -> int:
        return len(self.y)

    def tensors(self, device: torch.device | str | None = None) -> TensorSplit:
        """Copy this part to `device` as tensors of the same dtypes."""
        return TensorSplit(torch.tensor(self.x, device=device), torch.tensor(self.y, device=device))


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """A classification data set in three disjoint parts.

    Fit on `train`, choose by `validation`, and look at `test` once, at the end.

    Attributes:
        name: The loader's name.
        train: What models are fitted to.
        validation: What hyperparameters are chosen by; empty if none was asked for.
        test: What the final result is reported on; empty if none was asked for.
        classes: Name of each class, in the order of the labels 0, 1, ...
        licence: SPDX expression of the data's licence.
        source: Whom to cite.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    licence: str
    source: str

    def tensors(self, device: torch.device | str | None = None) -> TensorDataset:
        """Copy all parts to `device`, by default torch's own default device.

        Examples:
            >>> from hpcourse.data import wine
            >>> train, validation, test = wine().tensors()
            >>> train.x.dtype, train.y.dtype
            (torch.float32, torch.int64)
        """
        return TensorDataset(
            self.train.tensors(device), self.validation.tensors(device), self.test.tensors(device)
        )
