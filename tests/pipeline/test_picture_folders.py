"""Folders of pictures as CycleGAN code reads them, the whole way: train, translate, export, translate elsewhere."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from threatray.cli.main import main
from threatray.core import COLOUR, GREY
from threatray.core.files import read_json
from threatray.core.image_file import write_png
from threatray.errors import ConfigError, DataError
from threatray.pipeline.picture_folders import ANYTHING, in_channels, photos_in, signatures_in
from threatray.pipeline.translators import open_translator
from threatray.synthesis.canvas import photo_tensor
from threatray.synthesis.checkpoint import load_checkpoint
from threatray.synthesis.framing import Pose
from threatray.synthesis.hardware import Runtime
from threatray.synthesis.incumbent import read_state

SMALL = ["--preset", "paper_6", "--condition", "none", "--paper.width", "4", "--paper.disc-width", "4", "--size", "32", "--batch-size", "1"]
RECIPE = ["--weights.lambda-identity", "0.5", "--weights.no-covered-patches", "--encoding.power", "1", "--quiet"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Photos of 48x64 with a grey box; X-rays of 40x40 with a blue one; a broken file among them."""
    root, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for folder, shape, colour in (("trainA", (48, 64), 120), ("testA", (48, 64), 90), ("trainB", (40, 40), (40, 90, 160))):
        for place in range(3):
            picture = np.full((*shape, 3), 250, np.uint8)
            y, x = rng.integers(4, 15, 2)
            picture[y : y + 20, x : x + 22] = colour
            write_png(root / folder / f"{folder}{place}.png", picture)
    (root / "trainA" / "broken.png").write_bytes(b"\x89PNG no")
    return root


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "training"
    words = ["train", "--photos", str(pictures), "--signatures", str(pictures), "--out", str(out), "--steps", "2"]
    assert main([*words, *SMALL, *RECIPE]) == 0
    return out


def test_pictures_are_whole_objects_of_one_class(pictures):
    crops, refused = photos_in(pictures, "train")
    assert [(crop.id, crop.class_name, crop.size, crop.coverage) for crop in crops] == [
        (f"trainA{place}", ANYTHING, (48, 64), 1.0) for place in range(3)
    ]
    assert ["broken.png" in one.item for one in refused] == [True]
    assert [crop.id for crop in photos_in(pictures, "test")[0]] == ["testA0", "testA1", "testA2"]
    signatures, _ = signatures_in(pictures)
    assert signatures[0].image.channels == COLOUR
    assert set(np.unique(signatures[0].image.values[0])) == {np.float32(40 / 255), np.float32(250 / 255)}


def test_a_whole_picture_fills_the_canvas_whatever_its_aspect_ratio(pictures):
    crop = photos_in(pictures, "train")[0][0]
    canvas = photo_tensor(crop.pixels, crop.mask, 32, pose=Pose.WHOLE)
    assert (canvas[-1, 1:-1, 1:-1] == 1.0).all()
    rows, columns = np.nonzero(crop.pixels[..., 0] < 200)
    inside = canvas[0, 1:-1, 1:-1] < 0.5
    expected = (np.ptp(rows) + 1) / 48 * (np.ptp(columns) + 1) / 64
    assert abs(inside.sum() / 32**2 - expected) < 0.03


def test_grey_pictures_among_coloured_ones_become_coloured(tmp_path):
    write_png(tmp_path / "trainB" / "grey.png", np.full((8, 8), 100, np.uint8))
    write_png(tmp_path / "trainA" / "a.png", np.full((8, 8, 3), 100, np.uint8))
    grey, _ = signatures_in(tmp_path)
    assert grey[0].image.channels == GREY
    assert in_channels(grey, GREY)[0].image.channels == GREY
    assert in_channels(grey, COLOUR)[0].image.values.shape == (3, 8, 8)
    write_png(tmp_path / "trainB" / "colour.png", np.full((8, 8, 3), 100, np.uint8))
    assert {one.image.channels for one in in_channels(signatures_in(tmp_path)[0], ())} == {COLOUR}


def test_training_translating_and_both_exports_meet(pictures, trained, tmp_path):
    """The checkpoint, the authors' files made of it and the ONNX file make the same pictures."""
    manifest = read_json(trained / "manifest.json")
    assert [entry["item"].endswith("broken.png") for entry in manifest["set_aside"]] == [True]
    assert main(["export", "--train", str(trained), "--out", str(tmp_path / "theirs"), "--format", "incumbent", "--quiet"]) == 0
    assert main(["export", "--train", str(trained), "--out", str(tmp_path / "onnx"), "--quiet"]) == 0
    assert read_json(tmp_path / "onnx" / "export.json")["grey_levels_from_torch"] < 0.1
    assert "--netG resnet_6blocks --ngf 4" in read_json(tmp_path / "theirs" / "export.json")["options"]
    crops = [(crop.pixels, crop.mask, crop.class_name) for crop in photos_in(pictures, "test")[0]]
    names = [("s", "p", "g", None)] * len(crops)
    ways = [
        open_translator(trained, Runtime.TORCH, (ANYTHING,)),
        open_translator(tmp_path / "theirs", Runtime.TORCH, (ANYTHING,), size=32, whole=True),
        open_translator(tmp_path / "theirs" / "latest_net_G_A.pth", Runtime.TORCH, (ANYTHING,), size=32, whole=True),
        open_translator(tmp_path / "onnx" / "model.onnx", Runtime.ONNX, ()),
    ]
    made = [[signature.image.values for signature in way.signatures(crops, names)] for way in ways]
    for other in made[1:]:
        for here, there in zip(made[0], other, strict=True):
            assert np.abs(here - there).max() < 1e-4
    assert np.ptp(made[0][0]) > 0
    words = ["translate", "--photos", str(pictures), "--signatures", str(pictures), "--quiet", "--recogniser-steps", "5"]
    gate = ["--gate.least-class-probability", "0", "--gate.least-mean-attenuation", "0"]
    assert main([*words, *gate, "--train", str(tmp_path / "theirs"), "--canvas", "32", "--out", str(tmp_path / "made")]) == 0
    assert len(read_json(tmp_path / "made" / "verdicts.json")) == 3


def test_onnx_translates_where_torch_cannot_be_imported(pictures, trained, tmp_path):
    assert main(["export", "--train", str(trained), "--out", str(tmp_path / "onnx"), "--quiet"]) == 0
    script = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "onnx", "onnxscript"):
            raise ImportError(f"{name} is not here")
sys.meta_path.insert(0, Refuse())
from threatray.cli.main import main
code = main(sys.argv[1:])
assert not [name for name in sys.modules if name.split(".")[0] == "torch"]
sys.exit(code)
"""
    words = ["translate", "--photos", str(pictures), "--runtime", "onnx", "--train", str(tmp_path / "onnx" / "model.onnx")]
    words += ["--out", str(tmp_path / "made"), "--json", "--quiet", "--gate.least-mean-attenuation", "0"]
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["summary"]["accepted"] == {ANYTHING: 3}


def test_training_goes_on_from_the_authors_files(pictures, trained, tmp_path):
    theirs, out = tmp_path / "theirs", tmp_path / "further"
    assert main(["export", "--train", str(trained), "--out", str(theirs), "--format", "incumbent", "--averaged", "--quiet"]) == 0
    words = ["train", "--photos", str(pictures), "--signatures", str(pictures), "--out", str(out), "--start-from", str(theirs)]
    slow = ["--steps", "1", "--size", "32", "--batch-size", "1", "--lr-generators", "1e-9", "--lr-discriminators", "1e-9"]
    assert main([*words, *slow, *RECIPE]) == 0  # the default preset gives way to what the files hold
    state = load_checkpoint(out / "checkpoint.pt")
    wanted = {"gen_ab": "G_A", "gen_ba": "G_B", "disc_a": "D_B", "disc_b": "D_A"}
    for name, their in wanted.items():
        for key, value in read_state(theirs / f"latest_net_{their}.pth").items():
            assert torch.allclose(state["nets"][name][f"core.{key}"], value, atol=1e-7), (name, key)
    assert json.loads(state["config"])["paper"]["width"] == 4


def test_what_cannot_be_is_said(pictures, trained, tmp_path):
    with pytest.raises(ConfigError, match=r"m\.onnx is an ONNX model. Add --runtime onnx"):
        open_translator(tmp_path / "m.onnx", Runtime.TORCH, ())
    with pytest.raises(ConfigError, match="runtime onnx needs a file of `threatray export`"):
        open_translator(trained, Runtime.ONNX, ())
    (tmp_path / "m.onnx").write_bytes(b"no")
    with pytest.raises(DataError, match=r"m\.onnx: not a readable ONNX model"):
        open_translator(tmp_path / "m.onnx", Runtime.ONNX, ())
    with pytest.raises(DataError, match=r"holds nothing that translates: expected checkpoint.pt, or latest_net_G_A.pth"):
        open_translator(pictures, Runtime.TORCH, ())
    with pytest.raises(DataError, match="no readable picture in trainB"):
        signatures_in(_only_a(tmp_path))
    deep = tmp_path / "deep"
    write_png(deep / "trainA" / "deep.png", np.zeros((8, 8), np.uint16))
    with pytest.raises(DataError, match=r"deep.png: a photo of 16 bits"):
        photos_in(deep, "train", strict=True)


def _only_a(folder):
    write_png(folder / "only" / "trainA" / "a.png", np.zeros((8, 8, 3), np.uint8))
    return folder / "only"


def test_a_model_of_someone_else_is_refused(tmp_path):
    onnx = pytest.importorskip("onnx")
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(DataError, match="was not exported by threatray, so nothing says how photos go in"):
        open_translator(tmp_path / "other.onnx", Runtime.ONNX, ())


def test_translating_with_torch_needs_signatures(pictures, trained, tmp_path, capsys):
    assert main(["translate", "--photos", str(pictures), "--train", str(trained), "--out", str(tmp_path / "made")]) == 2
    assert "Give their folder as --signatures" in capsys.readouterr().err
    assert replace(photos_in(pictures, "train")[0][0]).class_name == ANYTHING
