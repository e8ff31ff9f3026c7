from __future__ import annotations

import base64

import cv2
import numpy as np
import pytest

from threatray.core import COLOUR, DUAL_ENERGY, GREY, Quantity, XrayImage
from threatray.errors import DataError
from threatray.physics.pseudo_colour import DEFAULT_PALETTE
from threatray.report.pictures import channel_view, colour_view, contact_sheet, embed, picture_strip


def test_a_picture_is_shrunk_but_never_enlarged() -> None:
    assert (
        embed(np.zeros((300, 150, 3), np.uint8), "a", longest=100).width,
        embed(np.zeros((30, 15, 3), np.uint8), "a", longest=100).width,
    ) == (50, 15)


def test_an_embedded_picture_keeps_red_red_and_its_place() -> None:
    pixels = np.full((20, 30, 3), 255, np.uint8)
    pixels[:, :15] = (220, 20, 20)
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(embed(pixels, "a").uri.split(",")[1]), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(decoded[10, 5].astype(int) - (220, 20, 20)).max() < 12
    assert decoded[10, 25].min() > 245


def test_dual_energy_is_shown_in_the_scanners_colours() -> None:
    values = np.exp(-np.array([1.2, 0.8], np.float32))[:, None, None] * np.ones((2, 3, 4), np.float32)
    dual = XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)
    expected = np.round(DEFAULT_PALETTE.render(dual).values * 255).transpose(1, 2, 0)
    assert (colour_view(dual) == expected).all()


def test_colour_is_shown_directly_and_grey_as_grey() -> None:
    colour = XrayImage(np.array([1.0, 0.5, 0.2], np.float32).reshape(3, 1, 1), Quantity.TRANSMISSION, COLOUR)
    grey = XrayImage(np.full((1, 1, 1), 0.4, np.float32), Quantity.TRANSMISSION, GREY)
    assert colour_view(colour)[0, 0].tolist() == [255, 128, 51]
    assert colour_view(grey)[0, 0].tolist() == [102, 102, 102]


def test_each_energy_has_its_own_view() -> None:
    dual = XrayImage(np.array([0.2, 0.6], np.float32).reshape(2, 1, 1), Quantity.TRANSMISSION, DUAL_ENERGY)
    assert [int(channel_view(dual, channel)[0, 0, 0]) for channel in (0, 1)] == [51, 153]


def test_a_strip_shows_its_pictures_from_left_to_right_at_one_height() -> None:
    red, blue = np.full((50, 50, 3), (255, 0, 0), np.uint8), np.full((100, 200, 3), (0, 0, 255), np.uint8)
    strip = picture_strip([("photo", red), ("composite", blue)], height=120)
    assert strip.shape == (120 + 30 + 24, 12 + 120 + 12 + 240 + 12, 3)
    assert strip[70, 60].tolist() == [255, 0, 0]
    assert strip[70, 250].tolist() == [0, 0, 255]
    assert (strip[140:165].min(axis=(0, 2))[12:132] < 128).any()


def test_a_contact_sheet_fits_every_picture_into_its_square() -> None:
    wide = np.zeros((10, 40, 3), np.uint8)
    sheet = contact_sheet([wide] * 3, columns=2, side=40)
    assert sheet.shape == (84, 84, 3)
    assert sheet[20, 20].max() == 0
    assert sheet[2, 20].min() == 255
    assert sheet[64, 64].min() == 255


@pytest.mark.parametrize("maker", [picture_strip, contact_sheet])
def test_nothing_to_show_is_refused(maker: object) -> None:
    with pytest.raises(DataError, match="expected at least one"):
        maker([])  # type: ignore[operator]
