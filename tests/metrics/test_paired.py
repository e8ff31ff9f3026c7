import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import DataError
from threatray.metrics.paired import psnr_in_box, ssim_in_box


def image(seed, channels=2, side=24):
    return np.random.default_rng(seed).uniform(0.05, 1, (channels, side, side)).astype(np.float32)


ALL = np.ones((24, 24), bool)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000))
def test_ssim_is_one_only_for_equals_symmetric_and_bounded(seed):
    x, y = image(seed), image(seed + 1)
    assert ssim_in_box(x, x, ALL) == pytest.approx(1.0)
    assert ssim_in_box(x, y, ALL) == pytest.approx(ssim_in_box(y, x, ALL))
    assert -1 <= ssim_in_box(x, y, ALL) < 0.9


def test_ssim_of_two_flat_images_by_hand():
    x, y = np.full((1, 30, 30), 0.2, np.float32), np.full((1, 30, 30), 0.8, np.float32)
    expected = (2 * 0.2 * 0.8 + 1e-4) / (0.2**2 + 0.8**2 + 1e-4)  # no variance: the contrast term is 1
    assert ssim_in_box(x, y, np.ones((30, 30), bool)) == pytest.approx(expected, rel=1e-5)


def test_ssim_by_a_slow_loop_over_windows():
    x, y = image(1, 1, 15)[0].astype(float), image(2, 1, 15)[0].astype(float)
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    patch_x, patch_y = x[7 - 5 : 7 + 6, 7 - 5 : 7 + 6], y[7 - 5 : 7 + 6, 7 - 5 : 7 + 6]
    mx, my = (window * patch_x).sum(), (window * patch_y).sum()
    vx, vy = (window * (patch_x - mx) ** 2).sum(), (window * (patch_y - my) ** 2).sum()
    cov = (window * (patch_x - mx) * (patch_y - my)).sum()
    expected = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    centre = np.zeros((15, 15), bool)
    centre[7, 7] = True
    assert ssim_in_box(x[None].astype(np.float32), y[None].astype(np.float32), centre) == pytest.approx(expected, rel=1e-5)


def test_only_the_box_of_the_mask_counts():
    truth = image(3)
    made = truth.copy()
    made[:, :, 20:] = 0.05
    box = np.zeros((24, 24), bool)
    box[4, 4] = box[12, 12] = True  # two corners of a box far from the fault
    assert psnr_in_box(made, truth, box) == float("inf")
    assert ssim_in_box(made, truth, box) == pytest.approx(1.0)
    assert psnr_in_box(made, truth, ALL) < 30


def test_psnr_by_hand():
    truth = np.full((2, 4, 4), 0.5, np.float32)
    made = truth.copy()
    made[0] += np.float32(0.2)  # one channel of two: mean squared error 0.02
    assert psnr_in_box(made, truth, np.ones((4, 4), bool)) == pytest.approx(-10 * np.log10(0.02), rel=1e-5)


def test_refuses_images_of_unequal_shape():
    with pytest.raises(DataError, match=r"expected equal \(C, H, W\) and a mask"):
        ssim_in_box(image(0), image(0, side=12), ALL)
    with pytest.raises(DataError, match="no true pixel"):
        ssim_in_box(image(0), image(0), ~ALL)


@pytest.mark.reference
def test_agrees_with_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    x, y = image(5, 1, 40)[0].astype(np.float64), image(6, 1, 40)[0].astype(np.float64)
    _, full = metrics.structural_similarity(x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0, full=True)
    mask = np.zeros((40, 40), bool)
    mask[10:30, 8:31] = True
    assert ssim_in_box(x[None].astype(np.float32), y[None].astype(np.float32), mask) == pytest.approx(full[10:30, 8:31].mean(), rel=1e-4)
