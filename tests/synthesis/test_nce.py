"""The contrastive term: the published number, its laws, and patches that lie where the object is."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.synthesis.config import Preset
from threatray.synthesis.nce import PatchMlp, PatchPlan, draw_patches, patch_nce
from threatray.synthesis.presets import build_nets


def unit(seed, count=2, places=5, length=8):
    """Random vectors of length 1: (count, places, length)."""
    values = torch.randn(count, places, length, generator=torch.Generator().manual_seed(seed))
    return values / values.norm(dim=-1, keepdim=True)


def everywhere(vectors):
    return torch.ones(vectors.shape[:2], dtype=torch.bool)


def test_patch_nce_by_hand():
    # one image, two places; cosines q1.k1 = 0.6, q1.k2 = 0.8, q2.k1 = 0, q2.k2 = 1, at temperature 0.5
    query = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    key = torch.tensor([[[0.6, 0.0], [0.8, 1.0]]])  # the loss takes vectors as they come
    first = -math.log(math.exp(0.6 / 0.5) / (math.exp(0.6 / 0.5) + math.exp(0.8 / 0.5)))
    second = -math.log(math.exp(1.0 / 0.5) / (math.exp(0.0) + math.exp(1.0 / 0.5)))
    assert patch_nce(query, key, everywhere(query), temperature=0.5).item() == pytest.approx((first + second) / 2, rel=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([0.07, 0.5]))
def test_equals_the_slow_loop_over_images_and_places(seed, temperature):
    query, key = unit(seed), unit(seed + 1)
    valid = torch.rand(2, 5, generator=torch.Generator().manual_seed(seed)) > 0.3
    valid[0, 0] = True
    terms = []
    for image in range(2):
        there = [place for place in range(5) if valid[image, place]]
        for place in there:
            scores = [math.exp(float(query[image, place] @ key[image, other]) / temperature) for other in there]
            terms.append(-math.log(scores[there.index(place)] / sum(scores)))
    assert patch_nce(query, key, valid, temperature=temperature).item() == pytest.approx(sum(terms) / len(terms), rel=1e-4, abs=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.permutations(range(5)))
def test_no_other_assignment_of_the_keys_is_better_than_each_place_its_own(seed, order):
    key = unit(seed)
    own = patch_nce(key, key, everywhere(key), temperature=0.07)
    assert own <= patch_nce(key[:, order], key, everywhere(key), temperature=0.07) + 1e-6
    if order != sorted(order):
        assert own < patch_nce(key[:, order], key, everywhere(key), temperature=0.07)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.permutations(range(5)))
def test_the_order_of_the_places_does_not_matter(seed, order):
    query, key = unit(seed), unit(seed + 1)
    valid = everywhere(query)
    valid[1, 3:] = False
    here = patch_nce(query, key, valid, temperature=0.07)
    assert patch_nce(query[:, order], key[:, order], valid[:, order], temperature=0.07).item() == pytest.approx(here.item(), rel=1e-5)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_the_wrong_answers_come_from_the_same_image_alone(seed):
    query, key = unit(seed), unit(seed + 1)
    apart = [patch_nce(query[row : row + 1], key[row : row + 1], everywhere(query)[:1], temperature=0.07) for row in range(2)]
    together = patch_nce(query, key, everywhere(query), temperature=0.07)
    assert together.item() == pytest.approx((apart[0] + apart[1]).item() / 2, rel=1e-5)


def test_filled_up_places_change_nothing_and_leave_gradients_numbers():
    query, key = unit(1).requires_grad_(True), unit(2)
    valid = everywhere(query)
    valid[:, 3:] = False
    loss = patch_nce(query, key, valid, temperature=0.07)
    short = patch_nce(query[:, :3], key[:, :3], valid[:, :3], temperature=0.07)
    assert loss.item() == pytest.approx(short.item(), rel=1e-6)
    (slope,) = torch.autograd.grad(loss, query)
    assert torch.isfinite(slope).all()
    assert (slope[:, 3:] == 0).all()
    assert patch_nce(query, key, torch.zeros_like(valid), temperature=0.07).item() == 0.0


def test_keys_are_constants():
    query, key = unit(1).requires_grad_(True), unit(2).requires_grad_(True)
    patch_nce(query, key, everywhere(query), temperature=0.07).backward()
    assert key.grad is None
    assert query.grad is not None


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 80))
def test_patches_are_different_cells_that_the_object_covers(seed, patches):
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.nn.functional.avg_pool2d(torch.rand(3, 1, 32, 32, generator=generator), 5, 1, 2) > 0.5).float()
    mask[0] = 0  # an image without an object has no cell at all
    mask[1] = 0
    mask[1, 0, 7, 9] = 1  # thinner than any cell: its most covered one
    plan = draw_patches(mask, [(16, 16), (8, 8)], patches, np.random.default_rng(seed))
    for side, positions, valid in zip((16, 8), plan.positions, plan.valid, strict=True):
        share = torch.nn.functional.avg_pool2d(mask, 32 // side).flatten(1)
        assert not valid[0].any()
        assert positions[1][valid[1]].tolist() == [(7 * side // 32) * side + 9 * side // 32]
        for row in range(3):
            cells = positions[row][valid[row]].tolist()
            assert len(set(cells)) == len(cells) <= patches
            assert all(share[row, cell] > 0 for cell in cells)
        covered = int((share[2] >= 0.5).sum())
        if covered:
            assert int(valid[2].sum()) == min(patches, covered)
            assert all(share[2, cell] >= 0.5 for cell in positions[2][valid[2]].tolist())


def test_mirroring_is_drawn_half_of_the_time_and_only_if_allowed():
    mask, rng = torch.ones(1, 1, 8, 8), np.random.default_rng(0)
    drawn = [draw_patches(mask, [(4, 4)], 2, rng, may_flip=True).flipped for _ in range(200)]
    assert 70 < sum(drawn) < 130
    assert not any(draw_patches(mask, [(4, 4)], 2, rng).flipped for _ in range(20))


def test_vectors_are_of_the_planned_cells_and_of_length_one():
    mlp = PatchMlp([3], 6, torch.Generator().manual_seed(0))
    features = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    positions = torch.tensor([[5, 0], [15, 3]])
    (found,) = mlp([features], PatchPlan((positions,), (torch.ones(2, 2, dtype=torch.bool),), False))
    for row in range(2):
        for place in range(2):
            cell = int(positions[row, place])
            alone = mlp.layers[0](features[row, :, cell // 4, cell % 4])
            assert torch.allclose(found[row, place], alone / alone.norm(), atol=1e-5)


@pytest.mark.parametrize("preset", [Preset.TINY, Preset.PAPER_6])
def test_features_come_from_the_encoder_at_four_or_five_depths(preset):
    net = build_nets(preset, 3, 2, 2, seed=0).gen_ab
    image, mask = torch.rand(1, 3, 32, 32) * 2 - 1, torch.ones(1, 1, 32, 32)
    with torch.no_grad():
        found = [tuple(each.shape[1:]) for each in net.features(image, mask, torch.tensor([1]))]
    if preset is Preset.TINY:
        assert found == [(16, 16, 16), (24, 16, 16), (48, 8, 8), (48, 8, 8)]
    else:
        assert found == [(6, 32, 32), (128, 16, 16), (256, 8, 8), (256, 8, 8), (256, 8, 8)]


def test_light_features_do_not_say_where_on_the_canvas_a_patch_lies():
    """Moved content has moved features; with the position planes the place alone would give a patch away."""
    net = build_nets(Preset.TINY, 3, 2, 2, seed=0).gen_ab
    image, mask = torch.ones(1, 3, 128, 128), torch.zeros(1, 1, 128, 128)
    image[..., 56:64, 56:64], mask[..., 56:64, 56:64] = -0.5, 1.0
    classes = torch.tensor([0])
    with torch.no_grad():
        here = net.features(image, mask, classes)
        moved = net.features(image.roll((4, 4), (2, 3)), mask.roll((4, 4), (2, 3)), classes)
    for one, other in zip(here, moved, strict=True):
        cells = 4 * one.shape[-1] // 128
        middle = slice(one.shape[-1] // 4, 3 * one.shape[-1] // 4)  # the canvas's edge is another thing
        assert torch.allclose(one.roll((cells, cells), (2, 3))[..., middle, middle], other[..., middle, middle], atol=1e-5)
