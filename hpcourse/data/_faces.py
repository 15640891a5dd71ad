"""Windows of 12 x 12 pixels with a face in them, a part of one, or none."""

from functools import cache
from importlib import import_module
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn import datasets
from torch import Tensor
from torch.nn.functional import interpolate

from hpcourse._check import require

__all__ = ["Windows", "face_windows"]

SIDE = 12  # pixels of a window
SIZES = tuple(range(8, 18))  # pixels of a pasted face
EYES = np.array([0.26, 0.34, 0.60, 0.34])  # x and y in a crop; those of the mean face
FACE, PART, NONE = 1, -1, 0
OVERLAPS = {FACE: (0.65, 1.01), PART: (0.4, 0.65), NONE: (0.0, 0.3)}
PARTS = (slice(0, 60), slice(60, 80), slice(80, 100))  # of 100 faces and of 100 other crops

Array = NDArray[np.float64]


class Windows(NamedTuple):
    """Windows and what is in them.

    Attributes:
        x: Grey pixels in 0 ... 1, float32 (n, 1, 12, 12).
        kind: 1 a face (it and the window overlap by at least 0.65, as intersection over union),
            -1 a part of one (at least 0.4), 0 none (below 0.3); int64 (n,).
        box: Left, top, right and bottom of the face in units of the window's side, 0 and 1 being
            its borders; float32 (n, 4), zero where there is no face at all.
        eyes: x and y of both eyes in the same units; float32 (n, 4), likewise.
    """

    x: Tensor
    kind: Tensor
    box: Tensor
    eyes: Tensor


def face_windows(
    count: int = 3000, *, seed: int = 0, device: torch.device | str | None = None
) -> tuple[Windows, Windows, Windows]:
    """Windows for a small face detector such as P-Net: training, validation and test part.

    Faces and other crops of scikit-image's subset of Labeled Faces in the Wild (100 and 100 of
    25 x 25 pixels) are put, at 8 to 17 pixels, on pieces of scikit-learn's photographs. Of each
    four windows one has a face, one a part of a face, one a face that hardly overlaps the window,
    and one another crop. The parts share neither faces nor other crops: 60, 20 and 20 of each.
    The eyes are where those of the mean face are; nobody marked them one by one.

    Args:
        count: Windows of the training part; the other two have half as many.
        seed: Decides everything.
        device: Where the tensors shall be.

    Raises:
        ImportError: If scikit-image is missing.
        ValueError: If `count` is below 8.

    References:
        G. Huang, M. Ramesh, T. Berg and E. Learned-Miller, "Labeled Faces in the Wild", 2007;
        K. Zhang, Z. Zhang, Z. Li and Y. Qiao, "Joint face detection and alignment using multitask
        cascaded convolutional networks", 2016, arXiv:1604.02878 (what counts as face and part).

    Examples:
        >>> train, validation, test = face_windows(80)
        >>> train.x.shape, len(validation.x), train.kind[:4].tolist()
        (torch.Size([80, 1, 12, 12]), 40, [1, -1, 0, 0])
    """
    require(count >= 8, "face_windows needs count >= 8", count=count)
    rng = np.random.default_rng(seed)
    sizes = (count, count // 2, count // 2)
    train, validation, test = (
        _windows(own, size, rng, device) for own, size in zip(PARTS, sizes, strict=True)
    )
    return train, validation, test


def _windows(
    own: slice, count: int, rng: np.random.Generator, device: torch.device | str | None
) -> Windows:
    """Windows made of some of the faces and other crops."""
    kinds = np.resize([FACE, PART, NONE, NONE], count)
    x, boxes = np.empty((count, SIDE, SIDE)), np.zeros((count, 4))
    for row, kind in enumerate(kinds):
        crop = int(rng.integers(own.start, own.stop))
        if row % 4 == 3:
            x[row] = _resized(SIDE)[100 + crop]
        else:
            left, top, size = _placed(int(kind), rng)
            x[row] = _pasted(_background(rng), _resized(size)[crop], left, top)
            boxes[row] = np.array([left, top, left + size, top + size]) / SIDE
    spans = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    eyes = np.tile(boxes[:, :2], 2) + EYES * spans
    return Windows(
        torch.tensor(x[:, None], dtype=torch.float32, device=device),
        torch.tensor(kinds, device=device),
        torch.tensor(boxes, dtype=torch.float32, device=device),
        torch.tensor(eyes, dtype=torch.float32, device=device),
    )


def _placed(kind: int, rng: np.random.Generator) -> tuple[int, int, int]:
    """Left, top and size (pixels) of a face that overlaps the window as much as its kind says."""
    low, high = OVERLAPS[kind]
    while True:
        size = int(rng.choice(SIZES))
        left, top = (int(p) for p in rng.integers(-size + 1, SIDE, size=2))
        inner = (min(left + size, SIDE) - max(left, 0)) * (min(top + size, SIDE) - max(top, 0))
        if low <= inner / (SIDE**2 + size**2 - inner) < high:
            return left, top, size


def _pasted(window: Array, face: Array, left: int, top: int) -> Array:
    """The window with the part of a face that lies in it."""
    size = len(face)
    x, y = slice(max(left, 0), left + size), slice(max(top, 0), top + size)
    part = face[max(-top, 0) :, max(-left, 0) :]
    result = window.copy()
    height, width = result[y, x].shape
    result[y, x] = part[:height, :width]
    return result


def _background(rng: np.random.Generator) -> Array:
    """A square piece of a photograph, of 24 to 96 pixels, at the size of a window."""
    photo = _photos()[int(rng.integers(2))]
    step = int(rng.integers(2, 9))
    top, left = (int(rng.integers(edge - step * SIDE)) for edge in photo.shape)
    piece = photo[top : top + step * SIDE, left : left + step * SIDE]
    return np.asarray(piece.reshape(SIDE, step, SIDE, step).mean(axis=(1, 3)))


@cache
def _photos() -> tuple[Array, Array]:
    """scikit-learn's two photographs, in grey of 0 ... 1."""
    china, flower = (image.mean(axis=2) / 255 for image in datasets.load_sample_images().images)
    return china, flower


@cache
def _resized(size: int) -> Array:
    """The 200 crops (200, size, size), the faces first."""
    crops = torch.as_tensor(import_module("skimage.data").lfw_subset())[:, None]
    small = interpolate(crops, size=(size, size), mode="bilinear", antialias=True)
    return np.asarray(small[:, 0].numpy(), dtype=np.float64)
