from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from threatray.core import BoolArray, Provenance, SetAside
from threatray.core.image_file import write_jpeg, write_png
from threatray.errors import ConfigError, DataError
from threatray.photos.crop import ObjectCrop
from threatray.photos.intake import drop_near_duplicates, take_in, take_in_photo
from threatray.photos.photo_file import PhotoFile, find_photos, read_mask, read_photo
from threatray.photos.rules import IntakeRules


def silhouette(seed: int = 0, height: int = 120, width: int = 160) -> BoolArray:
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), bool)
    for _ in range(3):
        top, left = rng.integers(25, 50), rng.integers(25, 60)
        mask[top : top + rng.integers(20, 45), left : left + rng.integers(30, 70)] = True
    return mask


def picture(mask: BoolArray, seed: int = 0) -> Any:
    colours = np.random.default_rng(seed).integers(0, 110, (mask.shape[0] // 20 + 1, mask.shape[1] // 20 + 1, 3))
    object_pixels = np.kron(colours, np.ones((20, 20, 1), int))[: mask.shape[0], : mask.shape[1]]
    return np.where(mask[..., None], object_pixels, 235).astype(np.uint8)


def photo(path: Path, **changes: Any) -> PhotoFile:
    return PhotoFile(**({"id": "a", "path": path, "class_name": "gun", "source_id": f"gun/{path.name}"} | changes))


RULES = IntakeRules()


def test_an_object_becomes_a_crop_with_its_mask(tmp_path: Path) -> None:
    mask = silhouette()
    write_png(tmp_path / "a.png", picture(mask))
    taken = take_in_photo(photo(tmp_path / "a.png", provenance=Provenance("me", "CC0")), RULES)
    assert isinstance(taken, tuple)
    (crop,) = taken
    assert (crop.id, crop.class_name, crop.source_id, crop.provenance.licence) == ("a", "gun", "gun/a.png", "CC0")
    assert abs(int(crop.mask.sum()) - int(mask.sum())) < 0.05 * mask.sum()
    assert 0.2 < crop.coverage < 0.95
    assert crop.quality > 0.8


def test_every_object_of_a_photo_is_a_crop_from_left_to_right(tmp_path: Path) -> None:
    mask = np.zeros((120, 300), bool)
    mask[30:90, 20:90] = mask[25:95, 190:260] = True
    write_png(tmp_path / "a.png", picture(mask))
    taken = take_in_photo(photo(tmp_path / "a.png"), RULES)
    assert isinstance(taken, tuple)
    assert [crop.id for crop in taken] == ["a-1", "a-2"]
    assert taken[0].mask.sum() < taken[1].mask.sum()
    one = take_in_photo(photo(tmp_path / "a.png"), IntakeRules(several_objects=False))
    assert isinstance(one, tuple)
    assert [crop.id for crop in one] == ["a"]


def test_a_mask_file_and_an_alpha_channel_are_believed(tmp_path: Path) -> None:
    mask = silhouette()
    shown = picture(mask)
    write_png(tmp_path / "a.png", shown)
    write_png(tmp_path / "mask.png", mask.astype(np.uint8) * 255)
    write_alpha(tmp_path / "b.png", shown, mask)
    for taken in (
        take_in_photo(photo(tmp_path / "a.png", mask_path=tmp_path / "mask.png"), RULES),
        take_in_photo(photo(tmp_path / "b.png"), RULES),
    ):
        assert isinstance(taken, tuple)
        assert int(taken[0].mask.sum()) == int(mask.sum())


def write_alpha(path: Path, pixels: Any, mask: BoolArray) -> None:
    from PIL import Image

    Image.fromarray(np.dstack([pixels, mask.astype(np.uint8) * 255])).save(path)


def test_photos_of_every_kind_are_read_upright_in_rgb(tmp_path: Path) -> None:
    from PIL import Image

    shown = picture(silhouette())
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(shown).save(tmp_path / "turned.jpg", exif=exif)
    write_png(tmp_path / "grey.png", shown[..., 0])
    write_png(tmp_path / "deep.png", shown[..., 0].astype(np.uint16) * 257)
    assert read_photo(tmp_path / "turned.jpg").pixels.shape == (160, 120, 3)
    np.testing.assert_array_equal(read_photo(tmp_path / "grey.png").pixels, read_photo(tmp_path / "deep.png").pixels)


def rejected(path: Path, rules: IntakeRules = RULES, **changes: Any) -> str:
    taken = take_in_photo(photo(path, **changes), rules)
    assert isinstance(taken, SetAside)
    assert taken.item == f"gun/{path.name}"
    return taken.reason


def test_unusable_photos_are_rejected_with_their_reason(tmp_path: Path) -> None:
    mask = silhouette()
    shown = picture(mask)
    write_png(tmp_path / "a.png", shown)
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    assert "cannot be decoded" in rejected(tmp_path / "cut.png")
    assert "no such image file" in rejected(tmp_path / "gone.png")
    tiny = np.zeros((500, 600), bool)
    tiny[240:260, 290:320] = True
    write_png(tmp_path / "tiny.png", picture(tiny))
    assert "covers 0.2% of the photo" in rejected(tmp_path / "tiny.png")
    assert "pixels long, under 150" in rejected(tmp_path / "a.png", IntakeRules(least_side=150))
    write_png(tmp_path / "wrong.png", np.roll(mask, 55, axis=1).astype(np.uint8) * 255)
    assert "under 0.95: ground and object" in rejected(
        tmp_path / "a.png", IntakeRules(least_quality=0.95), mask_path=tmp_path / "wrong.png"
    )
    write_png(tmp_path / "full.png", np.full(mask.shape, 255, np.uint8))
    assert "covers 100.0% of the photo" in rejected(tmp_path / "a.png", mask_path=tmp_path / "full.png")
    write_png(tmp_path / "other.png", np.zeros((5, 5), np.uint8))
    assert "the mask has 5x5 pixels, the photo 160x120" in rejected(tmp_path / "a.png", mask_path=tmp_path / "other.png")
    write_png(tmp_path / "small.png", np.zeros((5, 5, 3), np.uint8))
    assert "16 pixels a side or more" in rejected(tmp_path / "small.png")


def test_an_outline_on_all_four_sides_is_rejected(tmp_path: Path) -> None:
    cross = np.zeros((120, 160), bool)
    cross[55:65] = cross[:, 75:85] = True
    write_png(tmp_path / "a.png", picture(cross))
    assert "all four sides" in rejected(tmp_path / "a.png", IntakeRules(least_quality=0))


def folder_of_photos(root: Path) -> Path:
    for place, (name, seed) in {"handgun": ("a", 1), "knife": ("a", 2), "toy": ("t", 3)}.items():
        write_png(root / place / f"{name}.png", picture(silhouette(seed), seed))
    (root / "handgun" / "copy.png").write_bytes((root / "handgun" / "a.png").read_bytes())
    write_jpeg(root / "knife" / "recompressed.jpg", picture(silhouette(1), 1), quality=80)
    (root / "knife" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (root / "sources.csv").write_text('class,file,source,licence\nhandgun,a.png,museum,"CC BY, 4.0"\n')
    return root


def test_a_folder_gives_crops_without_copies_and_a_reason_for_every_reject(tmp_path: Path) -> None:
    rules = IntakeRules(aliases={"handgun": "gun"}, classes=("gun", "knife"))
    seen: list[tuple[int, int]] = []
    intake = take_in(folder_of_photos(tmp_path), None, rules, lambda *at: seen.append(at))
    assert [(crop.id, crop.class_name) for crop in intake.crops] == [("gun-a", "gun"), ("knife-a", "knife")]
    assert intake.crops[0].provenance == Provenance("museum", "CC BY, 4.0")
    assert intake.crops[1].provenance == Provenance()
    reasons = {one.item: one.reason for one in intake.rejected}
    assert reasons["handgun/copy.png"] == "the same bytes as handgun/a.png"
    assert reasons["knife/recompressed.jpg"] == "nearly the same picture as handgun/a.png of class 'gun'"
    assert "cannot be decoded" in reasons["knife/broken.jpg"]
    assert set(reasons) == {"handgun/copy.png", "knife/recompressed.jpg", "knife/broken.jpg"}
    assert seen[-1] == (4, 4)


def test_masks_are_found_by_class_and_stem(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "crops/gun/a.jpg", picture(silhouette()))
    write_png(tmp_path / "masks/gun/a.png", silhouette().astype(np.uint8) * 255)
    photos, _ = find_photos(tmp_path / "crops", tmp_path / "masks")
    assert photos[0].mask_path == tmp_path / "masks/gun/a.png"


def test_wrong_folders_and_tables_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder of photos"):
        find_photos(tmp_path / "gone")
    (tmp_path / "gun").mkdir()
    with pytest.raises(DataError, match=r"no photos found\. Looked for <class>/\*\.jpg.*folders here: gun"):
        find_photos(tmp_path)
    with pytest.raises(DataError, match="no such folder of masks"):
        find_photos(tmp_path, tmp_path / "gone")
    (tmp_path / "sources.csv").write_text("class,file\n")
    with pytest.raises(DataError, match="line 1: expected the columns class, file, source, licence; source, licence is missing"):
        find_photos(tmp_path)
    (tmp_path / "sources.csv").write_text("class,file,source,licence\ngun,a.png\n")
    with pytest.raises(DataError, match="line 2: expected 4 values"):
        find_photos(tmp_path)


def test_a_link_out_of_the_folder_is_left_out(tmp_path: Path) -> None:
    write_png(tmp_path / "outside.png", picture(silhouette()))
    write_png(tmp_path / "in/gun/a.png", picture(silhouette(5), 5))
    (tmp_path / "in/gun/b.png").symlink_to(tmp_path / "outside.png")
    photos, set_aside = find_photos(tmp_path / "in")
    assert [one.id for one in photos] == ["a"]
    assert "link that leads out" in set_aside[0].reason


def test_a_linked_class_folder_that_gives_no_photo_is_said(tmp_path: Path) -> None:
    write_png(tmp_path / "elsewhere/a.png", picture(silhouette()))
    (tmp_path / "in").mkdir()
    (tmp_path / "in/gun").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"no photos found.*1 files were set aside, e\.g\. gun/a\.png: .*link that leads out of the folder"):
        find_photos(tmp_path / "in")


def test_a_coloured_mask_is_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", np.random.default_rng(0).integers(0, 256, (9, 8, 3), dtype=np.uint8))
    with pytest.raises(DataError, match="expected a grey mask, got colours"):
        read_mask(tmp_path / "m.png", (9, 8))


def crop(name: str, mask: BoolArray, pixels: Any) -> ObjectCrop:
    return ObjectCrop(name, "gun", pixels, mask, f"gun/{name}.png")


def test_the_first_of_near_duplicates_is_kept() -> None:
    mask = silhouette(4)
    shown = picture(mask, 4)
    brighter = np.clip(shown.astype(int) + 6, 0, 255).astype(np.uint8)
    other = picture(silhouette(6), 6)
    kept, dropped = drop_near_duplicates([crop("a", mask, shown), crop("b", mask, brighter), crop("c", silhouette(6), other)])
    assert [one.id for one in kept] == ["a", "c"]
    assert dropped == (SetAside("gun/b.png", "nearly the same picture as gun/a.png"),)


def test_thin_tools_of_other_colours_are_not_copies() -> None:
    mask = np.zeros((200, 200), bool)
    for place in range(20, 180):
        mask[place - 3 : place + 3, place] = True
    dark, red = (np.where(mask[..., None], np.array(colour), 255).astype(np.uint8) for colour in ((30, 30, 30), (200, 30, 30)))
    kept, _ = drop_near_duplicates([crop("a", mask, dark), crop("b", mask, red)])
    assert len(kept) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"least_coverage": 0.5, "most_coverage": 0.4},
        {"least_quality": 1.5},
        {"duplicate_difference": -1},
        {"least_side": 0},
        {"largest_side": 4},
    ],
)
def test_impossible_rules_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="photos: "):
        IntakeRules(**wrong)


DATA = Path(__file__).parents[2].parent / "shared" / "data" / "camera"


@pytest.mark.real
@pytest.mark.skipif(not DATA.is_dir(), reason="the real photos are not here")
def test_real_mattes_agree_with_the_masks_on_white() -> None:
    from threatray.photos.matte import matte

    photos, _ = find_photos(DATA / "crops", DATA / "masks")
    agreement = []
    for one in photos[::60]:
        shown = read_photo(one.path).pixels
        assert one.mask_path is not None
        mask = read_mask(one.mask_path, shown.shape[:2])
        found = matte(shown).mask
        agreement.append((found & mask).sum() / (found | mask).sum())
    assert np.mean(agreement) > 0.85
    assert np.median(agreement) > 0.92
