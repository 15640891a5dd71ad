"""The IDX file format of MNIST and its successors."""

import numpy as np
from numpy.typing import NDArray

from hpcourse._check import require

UNSIGNED_BYTE = 0x08


def decode_idx(data: bytes) -> NDArray[np.uint8]:
    """Read an array of unsigned bytes from the content of an IDX file.

    The header is two zero bytes, the type, the number of dimensions, and each dimension as
    a big-endian 32-bit integer (Y. LeCun, C. Cortes and C. Burges, "The MNIST database").

    Examples:
        >>> decode_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
        array([7, 8, 9], dtype=uint8)
    """
    magic = data[:3]
    require(magic == bytes([0, 0, UNSIGNED_BYTE]), "IDX data need magic 00 00 08", magic=magic)
    dimensions = data[3]
    shape = np.frombuffer(data, ">u4", dimensions, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
