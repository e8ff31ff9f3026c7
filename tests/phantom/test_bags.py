"""Bags: everything inside the outline, thicknesses add, the threat is boxed tightly and can be seen."""

from __future__ import annotations

import numpy as np
import pytest

from threatray.core import box_of_mask, stream
from threatray.errors import ConfigError
from threatray.phantom.bags import _attenuation, _Packer, pack_bag, stock
from threatray.phantom.canvas import Canvas, depth_inside, polygon_mask
from threatray.phantom.luggage import RECIPES, BagKind, draw_shell
from threatray.phantom.objects import make
from threatray.phantom.raster import Frame

SIZE, PITCH = (150, 200), 0.27


@pytest.mark.parametrize("kind", list(BagKind))
def test_a_bag_of_every_kind_lies_within_the_picture_and_leaves_air(kind):
    bag = pack_bag(SIZE, PITCH, stream(1, kind.value), kind=kind)
    total = sum(bag.thickness_cm.values())
    assert all(np.isfinite(field).all() and field.min() >= 0 for field in bag.thickness_cm.values())
    assert 0.35 < (total > 0).mean() < 0.97
    assert (total[[0, 0, -1, -1], [0, -1, 0, -1]] == 0).sum() >= 3
    assert len(bag.annotations) == 0


def test_things_lie_inside_the_outline():
    frame = Frame.centred(SIZE, PITCH)
    rng = stream(2, "packer")
    shell = draw_shell(BagKind.SUITCASE, frame, rng)
    packer = _Packer(frame, shell)
    assert sum(packer.add(stock("train", family, 0), rng, tries=20) for family in ("bottle", "keys", "phone", "can")) >= 3
    filled = sum(packer.thickness().values()) > 0
    assert filled.any()
    assert not (filled & (shell.room <= 0)).any()


def test_a_threat_is_added_to_the_very_same_bag():
    """Without and with: the difference is the threat, and only within its mask."""
    threat = make("knife", stream(3, "knife"))
    without, with_it = (pack_bag(SIZE, PITCH, stream(3, "bag"), threat=thing, kind=BagKind.BACKPACK) for thing in (None, threat))
    mask = with_it.annotations.masks[0]
    changed = np.zeros(SIZE, bool)
    for name, field in with_it.thickness_cm.items():
        before = without.thickness_cm.get(name, np.zeros(SIZE, np.float32))
        assert (field >= before).all()
        changed |= field != before
    np.testing.assert_array_equal(changed, mask)
    assert tuple(with_it.annotations.boxes[0]) == box_of_mask(mask)
    assert with_it.annotations.labels == ("knife",)


@pytest.mark.parametrize("family", ["gun", "hammer"])
def test_a_threat_is_not_fully_hidden(family):
    """Over most of the threat, what lies above and below it lets at least 5 % of the rays through."""
    for number in range(2):
        without, with_it = (
            pack_bag(SIZE, PITCH, stream(number, "bag"), threat=thing) for thing in (None, make(family, stream(number, family)))
        )
        mask = with_it.annotations.masks[0]
        assert (_attenuation(without.thickness_cm)[mask] < 3.0).mean() > 0.5


def test_the_same_stream_packs_the_same_bag():
    first, second = (pack_bag(SIZE, PITCH, stream(4, "bag")) for _ in range(2))
    assert first.families == second.families
    assert all((first.thickness_cm[name] == second.thickness_cm[name]).all() for name in first.thickness_cm)


def test_shelves_hold_different_individuals():
    assert stock("train", "bottle", 0).parameters != stock("test", "bottle", 0).parameters


def test_families_of_every_recipe_exist():
    for recipe in RECIPES.values():
        for family in recipe.families:
            assert stock("train", family, 0).class_name is None


def test_a_threat_longer_than_the_picture_is_refused():
    with pytest.raises(ConfigError, match="does not fit a picture"):
        pack_bag((60, 80), 0.2, stream(5, "bag"), threat=make("hammer", stream(5, "hammer")))


def test_a_thin_line_is_fainter_not_wider():
    canvas = Canvas(Frame.centred((20, 20), 1.0))
    canvas.stroke("steel", np.array([(-8.0, 0.5), (8.0, 0.5)]), 0.25, 2.0)
    assert canvas.thickness_cm["steel"].max() == pytest.approx(0.5, rel=0.1)


def test_depth_grows_from_the_border_and_is_0_outside():
    frame = Frame.centred((40, 40), 0.5)
    mask = polygon_mask(np.array([(-8.0, -8), (8, -8), (8, 8), (-8, 8)]), frame)
    depth = depth_inside(mask, 0.5)
    assert (depth[~mask] == 0).all()
    assert (depth[mask] > 0).all()
    assert depth.max() == pytest.approx(8.0, abs=0.6)
