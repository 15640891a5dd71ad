"""Windows hold what their labels say."""

import numpy as np
import pytest
import torch

from hpcourse.claims.pnet import overlap
from hpcourse.data import face_windows
from hpcourse.data._faces import PARTS, _pasted, _resized

WINDOW = torch.tensor([[0.0, 0.0, 1.0, 1.0]])


@pytest.fixture(scope="module", name="parts")
def _parts():
    return face_windows(240, seed=3)


def test_shapes_and_ranges(parts):
    assert [len(part.x) for part in parts] == [240, 120, 120]
    for part in parts:
        assert part.x.shape[1:] == (1, 12, 12)
        assert 0 <= part.x.min() < part.x.max() <= 1
        quarter = len(part.x) // 4
        assert torch.bincount(part.kind + 1).tolist() == [quarter, 2 * quarter, quarter]


def test_kinds_are_overlaps_with_the_window(parts):
    for part in parts:
        found = overlap(part.box, WINDOW.expand(len(part.box), 4))
        assert (found[part.kind == 1] >= 0.65 - 1e-6).all()
        assert (found[part.kind == -1] >= 0.4 - 1e-6).all()
        assert (found[part.kind == -1] < 0.65).all()
        assert (found[part.kind == 0] < 0.3).all()


def test_eyes_lie_in_the_upper_half_of_the_box(parts):
    train = parts[0]
    face = train.kind == 1
    box, eyes = train.box[face], train.eyes[face]
    middle = (box[:, 1] + box[:, 3]) / 2
    assert (eyes[:, 1] < middle).all()
    assert (eyes[:, 1] > box[:, 1]).all()
    assert (eyes[:, 0] < eyes[:, 2]).all()
    assert torch.allclose(eyes[:, 1], eyes[:, 3])


def test_a_face_is_pasted_where_its_box_says():
    window, face = np.zeros((12, 12)), np.arange(1.0, 65.0).reshape(8, 8)
    whole = _pasted(window, face, 2, 3)
    assert np.array_equal(whole[3:11, 2:10], face)
    assert np.count_nonzero(whole) == 64
    corner = _pasted(window, face, -5, 9)
    assert np.array_equal(corner[9:, :3], face[:3, 5:])
    assert np.count_nonzero(corner) == 9


def test_parts_share_no_crop():
    used = [set(range(part.start, part.stop)) for part in PARTS]
    assert set.union(*used) == set(range(100))
    assert sum(map(len, used)) == 100
    assert _resized(9).shape == (200, 9, 9)


def test_a_seed_decides_everything():
    first, again, other = (face_windows(16, seed=seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first.x, again.x)
    assert not torch.equal(first.x, other.x)
    with pytest.raises(ValueError, match="count >= 8, got count=4"):
        face_windows(4)
