"""Real data sets that need no download, in seeded stratified parts, and mini-batches of them.

Every loader returns a `Dataset` of NumPy arrays; ``.tensors(device)`` gives torch tensors::

    from hpcourse.data import batches, digits

    train, validation, test = digits(seed=0).tensors()
    for x, y in batches(*train, batch_size=32, seed=0, epochs=10):
        ...
"""

from hpcourse.data._batches import Batches, batches
from hpcourse.data._faces import Windows, face_windows
from hpcourse.data._loaders import breast_cancer, digits, fashion, mnist1d, mnist5k, wine
from hpcourse.data._records import Dataset, Split, TensorDataset, TensorSplit
from hpcourse.data._split import stratified_rows

__all__ = [
    "Batches",
    "Dataset",
    "Split",
    "TensorDataset",
    "TensorSplit",
    "Windows",
    "batches",
    "breast_cancer",
    "digits",
    "face_windows",
    "fashion",
    "mnist1d",
    "mnist5k",
    "stratified_rows",
    "wine",
]
