import numpy as np

from opsin.color import rgb_to_lab
from opsin.colorization.bins import BINS, GRID, nearest_bins


def test_bins_are_the_313_grid_points_nearest_to_the_gamut() -> None:
    levels = np.linspace(0, 1, 33, dtype=np.float32)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(1, -1, 3)
    gamut = rgb_to_lab(cube)[0, :, 1:]
    axis = np.arange(-130, 131, GRID)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    distance = np.array([np.hypot(*(gamut - point).T).min() for point in points])
    inside = {tuple(point) for point in BINS.astype(int).tolist()}
    near = {tuple(p) for p in points[distance < 12].tolist()}
    far = {tuple(p) for p in points[distance > 13.5].tolist()}
    assert len(BINS) == 313
    assert near <= inside  # the cube is sampled coarsely, so its last unit is left to chance
    assert not far & inside


def test_nearest_bins_are_the_nearest():
    ab = np.random.default_rng(0).uniform(-100, 100, (2000, 2)).astype(np.float32)
    distance = np.linalg.norm(ab[:, None] - BINS, axis=-1)
    inside = (np.abs(ab[:, None] - BINS).max(axis=-1) <= 5).any(axis=1)  # of some bin's square
    assert (nearest_bins(ab) == distance.argmin(axis=1))[inside].all()


def test_every_color_has_a_bin():
    ab = np.float32([[-400, 400], [0, 0], [127, -128]])
    assert BINS[nearest_bins(ab)].tolist() == [[-90, 90], [0, 0], [90, -110]]
