from __future__ import annotations

import numpy as np
import pytest

from threatray.core import DUAL_ENERGY, Origin, OriginKind, Quantity, Signature, XrayImage
from threatray.errors import DataError
from threatray.physics.dual_energy import DualEnergyScanner
from threatray.tip.library import LibraryEntry
from threatray.tip.sheet import caption, labelled_sheet, thumbnail


def plate(material: str, thickness: float) -> Signature:
    low_high = DualEnergyScanner().transmit({material: np.full((20, 40), thickness, np.float32)})
    image = XrayImage(low_high.values, Quantity.TRANSMISSION, DUAL_ENERGY)
    return Signature(
        f"{material}-with-a-very-long-name-that-no-tile-holds", image, np.ones((20, 40), bool), "knife", Origin(OriginKind.REAL, "x", "x")
    )


def test_steel_is_blue_and_plastic_orange_as_on_a_screen():
    red, _, blue = thumbnail(plate("steel", 0.3), 64)[32, 32]
    assert blue > red
    red, _, blue = thumbnail(plate("polyethylene", 4.0), 64)[32, 32]
    assert red > blue


def test_every_signature_has_its_tile_with_words_under_it(signature_of):
    things = [plate("steel", 0.3), *(signature_of(seed, channels) for seed, channels in ((0, 1), (1, 2), (2, 3)))]
    entries = [
        LibraryEntry(one.id, one.class_name, one.image.channels, one.image.width, one.image.height, one.origin, 0.5) for one in things
    ]
    sheet = labelled_sheet(things, entries, tile=100, columns=3)
    assert sheet.shape == (2 * (100 + 46), 300, 3)
    for number in range(4):
        top, left = number // 3 * 146, number % 3 * 100
        assert (sheet[top : top + 100, left : left + 100] < 250).any()
        words = sheet[top + 100 : top + 146, left : left + 100]
        assert (words < 200).any()
        assert (words[:, -2:] == 255).all()  # long names are cut to the tile
    assert (sheet[146:, 100:] == 255).all()


def test_captions_say_class_quality_origin_and_size():
    entry = LibraryEntry("k1", "knife", DUAL_ENERGY, 40, 30, Origin(OriginKind.REAL, "x", "x"), 0.75)
    assert caption(entry) == ("knife, quality 0.75", "k1", "real, 40x30")


def test_an_empty_sheet_is_refused():
    with pytest.raises(DataError, match="no signatures to show"):
        labelled_sheet([], [])
