"""Fresh composites in a training loop: types kept, nothing covered, no draw twice, the same draws again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from threatray.core import COLOUR, Origin, OriginKind, Quantity, Signature, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.tip.library import SignatureLibrary, write_index, write_signature
from threatray.tip.online import OnlineProjection
from threatray.tip.signature_cache import CachedLibrary
from threatray.uplift.online import ThreatProjection


def bag(seed: int = 0) -> torch.Tensor:
    pixels = np.full((3, 90, 120), 255, np.uint8)
    pixels[:, 10:80, 10:110] = np.random.default_rng(seed).integers(120, 180, (3, 70, 100))
    return torch.from_numpy(pixels)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> CachedLibrary:
    folder: Path = tmp_path_factory.mktemp("library")
    entries = []
    for name, breadth in (("gun", 8), ("knife", 4)):
        image = XrayImage(np.full((3, breadth, 20), 0.4, np.float32), Quantity.TRANSMISSION, COLOUR)
        origin = Origin(OriginKind.RENDERED, name, name)
        entries.append(write_signature(folder, Signature(name, image, np.ones((breadth, 20), bool), name, origin)))
    write_index(folder, entries)
    return CachedLibrary(SignatureLibrary.open(folder))


def transform(library: CachedLibrary, **options: object) -> ThreatProjection:
    seed, masks = options.pop("seed", 0), options.pop("masks", False)
    return ThreatProjection(OnlineProjection(library, **options), {"gun": 1, "knife": 2}, seed=seed, masks=masks)  # type: ignore[arg-type]


class Bags(Dataset[object]):
    def __init__(self, project: ThreatProjection, named: bool) -> None:
        self.project, self.named = project, named

    def __len__(self) -> int:
        return 12

    def __getitem__(self, place: int) -> object:
        image, target = self.project(bag(), {"image_id": place} if self.named else {})
        return place, image.numpy().tobytes(), target["boxes"].tolist()


def drawn(project: ThreatProjection, workers: int, named: bool = False, **options: object) -> list[list[tuple[int, bytes]]]:
    """Two epochs of what was drawn, by item."""
    loader = DataLoader(Bags(project, named), batch_size=None, num_workers=workers, **options)  # type: ignore[arg-type]
    epochs = []
    for epoch in range(2):
        if named:
            project.set_epoch(epoch)
        epochs.append([(place, content) for place, content, _ in loader])
    return epochs


def test_what_was_there_is_kept_and_not_covered_and_types_come_back(library: CachedLibrary) -> None:
    target = {
        "boxes": tv_tensors.BoundingBoxes([[10, 10, 50, 70]], format="XYWH", canvas_size=(90, 120)),  # type: ignore[arg-type]
        "labels": torch.tensor([5]),
        "masks": tv_tensors.Mask(torch.zeros(1, 90, 120, dtype=torch.uint8)),
        "area": torch.tensor([3500.0]),
        "iscrowd": torch.tensor([0]),
        "image_id": 3,
    }
    image = tv_tensors.Image(bag())
    made, changed = transform(library, count_weights=(0, 0, 1))(image, target)
    assert isinstance(made, tv_tensors.Image)
    assert isinstance(changed["boxes"], tv_tensors.BoundingBoxes)
    assert isinstance(changed["masks"], tv_tensors.Mask)
    assert changed["boxes"].format is tv_tensors.BoundingBoxFormat.XYWH
    assert changed["labels"].tolist()[0] == 5
    assert len(changed["labels"]) == len(changed["boxes"]) == len(changed["masks"]) == len(changed["area"]) == len(changed["iscrowd"]) == 3
    assert (made[:, 10:80, 10:60] == image[:, 10:80, 10:60]).all(), "the thing that lay there is not covered"
    for box, mask, area in zip(changed["boxes"][1:].tolist(), changed["masks"][1:], changed["area"][1:].tolist(), strict=True):
        rows, columns = torch.nonzero(mask, as_tuple=True)
        assert [columns.min(), rows.min(), columns.max() + 1 - columns.min(), rows.max() + 1 - rows.min()] == box
        assert mask.sum() == area
        assert (made[:, mask.bool()] < image[:, mask.bool()]).all()
    union = changed["masks"][1:].bool().any(dim=0)
    assert (made != image).any(dim=0).sum() >= union.sum()
    assert target["labels"].tolist() == [5], "the caller's own is not changed"


def test_plain_tensors_pil_images_and_bare_targets_work(library: CachedLibrary) -> None:
    project = transform(library, masks=True)
    image, target = project((bag(), {}))
    assert type(image) is torch.Tensor
    assert (target["boxes"].shape, target["masks"].shape, target["boxes"].dtype) == ((1, 4), (1, 90, 120), torch.float32)
    picture = Image.fromarray(bag().numpy().transpose(1, 2, 0))
    made, _ = project(picture, {"boxes": torch.zeros(0), "labels": torch.zeros(0, dtype=torch.int64)})
    assert isinstance(made, Image.Image)
    assert made.size == picture.size


def test_it_goes_into_a_composition_of_torchvisions(library: CachedLibrary) -> None:
    both = v2.Compose([transform(library), v2.RandomHorizontalFlip(p=1.0), v2.ToDtype(torch.float32, scale=True)])
    target = {"boxes": tv_tensors.BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=(90, 120)), "labels": torch.zeros(0).long()}
    image, changed = both(tv_tensors.Image(bag()), target)
    x0, y0, x1, y1 = (int(edge) for edge in changed["boxes"][0])
    assert image.dtype == torch.float32
    assert image[:, y0:y1, x0:x1].min() < 0.4, "the flipped box still holds the threat"


def test_sixteen_bits_stay_sixteen_bits(library: CachedLibrary) -> None:
    deep = (bag().to(torch.int32) * 257).to(torch.uint16)
    image, target = transform(library)(deep, {})
    assert image.dtype == torch.uint16
    assert len(np.unique(image.numpy())) > len(np.unique(deep.numpy()))
    assert len(target["boxes"]) == 1


@pytest.mark.parametrize("persistent", [False, True])
def test_two_workers_repeat_no_draw_within_or_between_epochs(library: CachedLibrary, persistent: bool) -> None:
    first, second = drawn(transform(library), 2, persistent_workers=persistent)
    contents = [content for _, content in (*first, *second)]
    assert len(set(contents)) == len(contents) == 24


def test_the_same_seeds_give_the_same_draws(library: CachedLibrary) -> None:
    epochs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        epochs.append(drawn(transform(library), 2))
    assert epochs[0] == epochs[1]
    assert epochs[0] != epochs[2]


def test_with_epochs_and_image_ids_neither_workers_nor_order_matter(library: CachedLibrary) -> None:
    alone, two, shuffled = (
        drawn(transform(library, seed=4), workers, named=True, shuffle=shuffle, persistent_workers=workers > 0)
        for workers, shuffle in ((0, False), (2, False), (2, True))
    )
    assert alone == two
    assert [dict(epoch) for epoch in alone] == [dict(epoch) for epoch in shuffled]
    assert alone[0] != alone[1], "another epoch, other composites"
    assert drawn(transform(library, seed=5), 0, named=True) != alone


def test_counts_and_classes_follow_their_weights(library: CachedLibrary) -> None:
    project = transform(library, count_weights=(0.5, 0.3, 0.2), classes={"gun": 3.0, "knife": 1.0})
    labels = [project(bag(), {})[1].get("labels", torch.zeros(0)).tolist() for _ in range(300)]
    counts = [sum(len(each) == number for each in labels) for number in range(3)]
    assert 115 <= counts[0] <= 185
    assert 60 <= counts[1] <= 120
    guns = sum(label == 1 for each in labels for label in each)
    assert 0.65 <= guns / sum(len(each) for each in labels) <= 0.85


def test_a_bag_that_takes_nothing_comes_back_as_it_was(library: CachedLibrary) -> None:
    project = transform(library)
    air = torch.full((3, 40, 40), 255, dtype=torch.uint8)
    image, target = project(air, {"labels": torch.tensor([1])})
    assert image is air
    assert target["labels"].tolist() == [1]
    assert dict(project.refused) == {"no bag in the picture": 1}


def test_refuses_what_it_cannot_know(library: CachedLibrary) -> None:
    with pytest.raises(DataError, match="expected a uint8 or uint16 image"):
        transform(library)(torch.zeros(3, 20, 20), {})
    with pytest.raises(DataError, match="got a PIL image of mode CMYK"):
        transform(library)(Image.new("CMYK", (20, 20)), {})
    with pytest.raises(ConfigError, match=r"no label for \['knife'\]"):
        ThreatProjection(OnlineProjection(library), {"gun": 1})
    with pytest.raises(ConfigError, match=r"'sword' \(weight 1\.0\) has no signatures"):
        OnlineProjection(library, classes={"sword": 1.0})
    with pytest.raises(ConfigError, match="count_weights must be some weights"):
        OnlineProjection(library, count_weights=(0.0, 0.0))
    with pytest.raises(ConfigError, match="an epoch is a number of at least 0"):
        transform(library).set_epoch(-1)
