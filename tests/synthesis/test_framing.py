import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import ConfigError, DataError
from threatray.synthesis.framing import Frame, Pose


def hammer(turn=0, flip=False):
    mask = np.zeros((60, 60), bool)
    mask[10:20, 12:44] = True  # head, off centre
    mask[20:55, 20:26] = True  # handle
    mask = np.rot90(mask, turn)
    return np.ascontiguousarray(mask[:, ::-1] if flip else mask)


def on_canvas(mask, size=32, pose=Pose.UPRIGHT):
    return Frame.of(mask, size, pose=pose).to_canvas(mask[..., None].astype(np.float32), fill=0.0)[..., 0]


def test_upright_looks_the_same_from_every_quarter_turn_and_mirroring():
    expected = on_canvas(hammer())
    for turn in range(4):
        for flip in (False, True):
            assert np.abs(on_canvas(hammer(turn, flip)) - expected).max() < 1e-3, (turn, flip)


def test_as_is_keeps_the_pose():
    tall = np.zeros((40, 20), bool)
    tall[4:36, 8:12] = True
    canvas = on_canvas(tall, pose=Pose.AS_IS) > 0.5
    assert canvas.any(axis=1).sum() > 3 * canvas.any(axis=0).sum()


def test_keeps_the_aspect_ratio_and_the_margin():
    mask = np.zeros((50, 90), bool)
    mask[10:30, 5:85] = True  # 80 x 20
    canvas = Frame.of(mask, 40, margin=0.1).to_canvas(mask[..., None].astype(np.float32), fill=0.0)[..., 0]
    assert canvas.sum() == pytest.approx(32 * 8, rel=1e-3)
    assert (canvas[:, :3] == 0).all()  # an edge may smear over half a source pixel
    assert (canvas[:, -3:] == 0).all()


def test_stretching_gives_thin_things_more_rows_but_no_more_than_twice():
    thin, broad = np.zeros((50, 90), bool), np.zeros((50, 90), bool)
    thin[10:18, 5:85], broad[0:50, 5:85] = True, True
    rows = {}
    for name, mask in (("thin", thin), ("broad", broad)):
        for pose in (Pose.UPRIGHT, Pose.STRETCHED):
            rows[name, pose] = (on_canvas(mask, 64, pose) > 0.5).any(axis=1).sum()
    assert rows["thin", Pose.STRETCHED] == pytest.approx(2 * rows["thin", Pose.UPRIGHT], abs=1)
    assert rows["broad", Pose.STRETCHED] == pytest.approx(64 * 0.88, abs=1)


def test_averages_by_area_so_that_fine_stripes_become_grey():
    mask = np.ones((128, 128), bool)
    stripes = np.zeros((128, 128, 1), np.float32)
    stripes[:, ::2] = 1.0
    canvas = Frame.of(mask, 16, pose=Pose.AS_IS, margin=0.0).to_canvas(stripes, fill=0.0)
    assert np.abs(canvas - 0.5).max() < 1e-5


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 3), st.booleans(), st.floats(0.2, 0.8), st.sampled_from(list(Pose)))
def test_there_and_back_gives_a_flat_value_everywhere_inside_the_mask(turn, flip, value, pose):
    mask = hammer(turn, flip)
    frame = Frame.of(mask, 24, pose=pose)
    weight = frame.to_canvas(mask[..., None].astype(np.float32), fill=0.0)[..., 0]
    back = frame.from_canvas(np.full((2, 24, 24), value, np.float32), weight, mask.shape)
    assert back.shape == (2, *mask.shape)
    assert np.abs(back[:, mask] - value).max() < 1e-4  # also at the edge: no bright rim from the air around


def test_what_is_on_the_left_comes_back_on_the_left():
    mask = hammer(1)
    values = np.broadcast_to(np.arange(60, dtype=np.float32)[None, :, None], (60, 60, 1)) * mask[..., None]
    frame = Frame.of(mask, 48)
    weight = frame.to_canvas(mask[..., None].astype(np.float32), fill=0.0)[..., 0]
    canvas = frame.to_canvas(values, fill=0.0)[..., 0] / np.maximum(weight, 1e-6)
    back = frame.from_canvas(canvas[None], weight, mask.shape)[0]
    assert np.abs(back - values[..., 0])[mask].mean() < 1.0


def test_refuses_an_empty_mask():
    with pytest.raises(DataError, match="the mask is empty, so there is no object"):
        Frame.of(np.zeros((4, 4), bool), 16)


@pytest.mark.parametrize(
    ("size", "margin", "text"), [(18, 0.1, "multiple of 4"), (4, 0.1, "at least 8"), (16, 0.5, r"margin must lie in \[0, 0.4\]")]
)
def test_refuses_a_canvas_that_cannot_be(size, margin, text):
    with pytest.raises(ConfigError, match=text):
        Frame.of(np.ones((4, 4), bool), size, margin=margin)
