"""The gallery: every method in every view, proxies called so, nothing invented where a view is missing."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from threatray.core import DUAL_ENERGY, Quantity, XrayImage
from threatray.core.files import read_json, write_json
from threatray.core.image_file import write_png
from threatray.errors import DataError
from threatray.report.data import build
from threatray.report.folder import RunFolder
from threatray.report.gallery import R_STOPS, build_gallery, r_view
from threatray.report.html import render


@pytest.fixture
def own_run(run_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(run_folder, tmp_path / "run"))


def test_four_views_by_four_methods_beside_the_bag_and_a_real_scan(own_run: Path) -> None:
    found = build_gallery(RunFolder(own_run))
    assert found is not None
    (exhibit,) = found.exhibits
    assert [row.title for row in exhibit.rows] == ["Colour", "High energy", "Low energy", "Material, R"]
    for row in exhibit.rows:
        assert [panel.caption for panel in row.panels] == [
            "Bag alone",
            "Energy space",
            "Colour channels",
            "Alpha blend",
            "Opaque paste",
            "Scanned together",
        ]
        assert all(panel.picture is not None for panel in row.panels)
    assert [[panel.proxy for panel in row.panels].index(True) for row in exhibit.rows[1:]] == [2, 2, 2]
    assert not any(panel.proxy for panel in exhibit.rows[0].panels), "colour is what the screen shows, not a proxy"
    assert found.proxy


def test_the_high_energy_row_shows_the_high_energy(own_run: Path) -> None:
    folder = own_run / "compose" / "gallery"
    write_png(folder / "c_bag_high.png", np.full((48, 48), 52_428, np.uint16))
    write_png(folder / "c_bag_low.png", np.full((48, 48), 13_107, np.uint16))
    rows = build_gallery(RunFolder(own_run)).exhibits[0].rows
    levels = []
    for row in rows[1:3]:
        content = base64.b64decode(row.panels[0].picture.uri.partition(",")[2])
        levels.append(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).mean())
    np.testing.assert_allclose(levels, [0.8**0.5 * 255, 0.2**0.5 * 255], atol=2)


@pytest.mark.parametrize("ratio", [value for value, _ in R_STOPS])
def test_a_ratio_has_its_colour_and_air_is_white(ratio: float) -> None:
    values = np.exp(-np.array([ratio, 1.0], np.float32)).reshape(2, 1, 1) * np.ones((2, 9, 9), np.float32)
    values[:, :, :2] = 1.0
    picture = r_view(XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY))
    assert np.abs(picture[4, 7].astype(int) - dict(R_STOPS)[ratio]).max() <= 1
    assert picture[4, 0].tolist() == [255, 255, 255]


def test_grey_has_one_row_and_a_lost_picture_is_an_empty_place(own_run: Path) -> None:
    path = own_run / "compose" / "gallery" / "gallery.json"
    (record,) = read_json(path)
    record["panels"] = [{**panel, "low": None, "high": None, "proxy": False} for panel in record["panels"][:4]]
    (path.parent / "c_bag.png").unlink()
    write_json(path, [record])
    found = build_gallery(RunFolder(own_run))
    assert [row.title for row in found.exhibits[0].rows] == ["Colour"]
    assert found.exhibits[0].rows[0].panels[0].picture is None
    assert (found.legend, found.proxy) == ((), False)
    assert '<div class="none">none</div>' in render(build(own_run))


def test_names_that_lead_out_of_the_run_are_not_followed(own_run: Path) -> None:
    write_png(own_run.parent / "secret.png", np.zeros((9, 9, 3), np.uint8))
    path = own_run / "compose" / "gallery" / "gallery.json"
    (record,) = read_json(path)
    record["panels"][0] |= {"screen": "../../../secret.png", "low": "../../../secret.png"}
    write_json(path, [record])
    panels = [row.panels[0] for row in build_gallery(RunFolder(own_run)).exhibits[0].rows]
    assert [panel.picture for panel in panels] == [None] * 4


def test_a_broken_list_is_an_error_and_an_absent_one_no_section(own_run: Path) -> None:
    path = own_run / "compose" / "gallery" / "gallery.json"
    write_json(path, [{"id": "a"}])
    with pytest.raises(DataError, match=r"gallery.json: an entry has no list of panels. Run `threatray compose` again"):
        build_gallery(RunFolder(own_run))
    path.unlink()
    assert build_gallery(RunFolder(own_run)) is None


def test_what_a_file_says_is_text_on_the_page(own_run: Path) -> None:
    path = own_run / "compose" / "gallery" / "gallery.json"
    (record,) = read_json(path)
    record |= {"class_name": "<script>alert(1)</script>", "bag_id": "<b>"}
    record["panels"][1]["name"] = "<i>method"
    write_json(path, [record])
    page = render(build(own_run))
    assert "<script>alert(1)" not in page
    assert "<i>method" not in page
    assert "&lt;script&gt;alert(1)" in page
