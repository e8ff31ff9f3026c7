from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from threatray.core import FloatArray
from threatray.core.image_file import write_png
from threatray.core.manifest import RunManifest
from threatray.errors import ConfigError
from threatray.photos.intake import take_in
from threatray.photos.matte import MatteMethod, matte
from threatray.photos.rules import IntakeRules, Outlines
from threatray.photos.salience import SalientObjects, packaged_model

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def darkness_network(path: Path, side: int = 32, channels: int = 3) -> Path:
    """A network whose salience is 1 where the normalised red channel is below -0.5, with a soft step."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weight = np.zeros((1, channels, 1, 1), np.float32)
    weight[0, 0] = -20.0
    constants = [
        onnx.numpy_helper.from_array(weight, "weight"),
        onnx.numpy_helper.from_array(np.array([-10.0], np.float32), "bias"),
    ]
    nodes = [helper.make_node("Conv", ["image", "weight", "bias"], ["logit"]), helper.make_node("Sigmoid", ["logit"], ["salience"])]
    graph = helper.make_graph(
        nodes,
        "darkness",
        [helper.make_tensor_value_info("image", kind, [1, channels, side, side])],
        [helper.make_tensor_value_info("salience", kind, [1, 1, side, side])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


def dark_square(height: int = 90, width: int = 120) -> np.ndarray:
    photo = np.full((height, width, 3), 230, np.uint8)
    photo[30:60, 40:80] = 20
    return photo


def test_a_network_tells_the_object_at_the_photos_own_size(tmp_path: Path) -> None:
    salience = SalientObjects(darkness_network(tmp_path / "net.onnx"))(dark_square())
    assert (salience.shape, salience.dtype) == ((90, 120), np.float32)
    assert salience[45, 60] > 0.99
    assert salience[5, 5] < 0.01


def test_a_network_sees_red_as_red(tmp_path: Path) -> None:
    salience = SalientObjects(darkness_network(tmp_path / "net.onnx"))
    red, blue = (np.full((40, 40, 3), value, np.uint8) for value in ((255, 0, 0), (0, 0, 255)))
    assert salience(red).max() < 0.01  # the network calls dark what has little red
    assert salience(blue).min() > 0.99


def test_the_matte_is_what_the_network_finds_and_its_doubt_lowers_the_quality() -> None:
    truth = np.zeros((90, 120), np.float32)
    truth[30:60, 40:80] = 1.0

    def finds(sure: float) -> MatteOf:
        return MatteOf(0.5 + (truth - 0.5) * sure)

    sure, unsure = matte(dark_square(), salience=finds(1.0)), matte(dark_square(), salience=finds(0.4))
    assert sure.method is MatteMethod.SALIENT
    assert np.array_equal(sure.mask, truth > 0.5)
    assert np.array_equal(unsure.mask, truth > 0.5)
    assert unsure.quality == pytest.approx(0.4 * sure.quality, abs=1e-3)


class MatteOf:
    def __init__(self, salience: FloatArray) -> None:
        self.salience = salience

    def __call__(self, pixels: np.ndarray) -> FloatArray:
        return self.salience.astype(np.float32)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_network_that_finds_nothing_or_everything_gives_an_empty_mask_of_no_quality(value: float) -> None:
    found = matte(dark_square(), salience=MatteOf(np.full((90, 120), value)))
    assert not found.mask.any()
    assert found.quality == 0.0


def test_a_mask_that_is_given_is_believed_all_the_same() -> None:
    given = np.zeros((90, 120), bool)
    given[10:20, 10:30] = True
    assert np.array_equal(matte(dark_square(), given, salience=MatteOf(np.ones((90, 120)))).mask, given)


def folder_of_photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "gun").mkdir(parents=True)
    write_png(folder / "gun" / "a.png", dark_square())
    return folder


def test_intake_uses_the_network_that_it_is_given(tmp_path: Path) -> None:
    folder = folder_of_photos(tmp_path)
    everything = darkness_network(tmp_path / "net.onnx")
    rules = IntakeRules(outlines=Outlines.SALIENT, salient_model=everything, least_side=8)
    (crop,) = take_in(folder, rules=rules).crops
    assert crop.mask.sum() == pytest.approx(30 * 40, rel=0.15)


def test_the_stage_records_which_way_and_which_network_but_not_where_it_lies(tmp_path: Path) -> None:
    from threatray.pipeline.progress import Progress
    from threatray.pipeline.sources import Taxonomy
    from threatray.pipeline.stage import Run
    from threatray.pipeline.stages.photos_stage import photos

    def manifest(network: Path, out: str) -> RunManifest:
        rules = IntakeRules(outlines=Outlines.SALIENT, salient_model=network, least_side=8)
        return photos(rules, Taxonomy(), folder, tmp_path / out, Run(progress=Progress(quiet=True)))

    folder = folder_of_photos(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    one = manifest(darkness_network(tmp_path / "net.onnx"), "one")
    two = manifest(darkness_network(tmp_path / "elsewhere" / "same.onnx"), "two")
    assert one.summary["outlines"] == "salient"
    assert set(one.inputs) == {"photos", "salient_model"}
    assert (one.config, one.inputs) == (two.config, two.inputs)
    assert str(tmp_path) not in json.dumps(one.config)


def test_auto_is_decided_before_anything_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    network = darkness_network(tmp_path / "net.onnx")
    monkeypatch.setattr("threatray.photos.salience.packaged_model", lambda: network)
    assert IntakeRules().settled() == replace(IntakeRules(), outlines=Outlines.SALIENT, salient_model=network)
    monkeypatch.setattr("threatray.photos.salience.packaged_model", lambda: None)
    assert IntakeRules().settled() == IntakeRules(outlines=Outlines.CLASSIC)
    with pytest.raises(ConfigError, match=r"pip install 'threatray\[salient\]'"):
        IntakeRules(outlines=Outlines.SALIENT).settled()
    with pytest.raises(ConfigError, match="salient_model is given, but outlines is 'classic'"):
        IntakeRules(outlines=Outlines.CLASSIC, salient_model=network).settled()


def test_what_is_no_such_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such network file"):
        SalientObjects(tmp_path / "absent.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ConfigError, match="not a network that onnxruntime reads"):
        SalientObjects(tmp_path / "text.onnx")
    with pytest.raises(ConfigError, match=r"expected one input of shape \(1, 3, S, S\)"):
        SalientObjects(darkness_network(tmp_path / "four.onnx", channels=4))


def test_the_packaged_network_finds_a_tool_on_a_patterned_ground() -> None:
    path = packaged_model()
    if path is None:
        pytest.skip("the extra 'salient' is not installed")
    rng = np.random.default_rng(0)
    photo = np.clip(rng.normal(150, 25, (240, 320, 1)) + np.zeros(3), 0, 255).astype(np.uint8)
    truth = np.zeros((240, 320), bool)
    truth[110:130, 60:260] = truth[90:150, 230:280] = True
    photo[truth] = (190, 30, 30)
    found = matte(photo, salience=SalientObjects(path))
    assert (found.mask & truth).sum() / (found.mask | truth).sum() > 0.8
