"""Networks on their way to ONNX: the same sums in a faster order."""

import numpy as np
import pytest
import torch
from torch import nn

from threatray.core import DUAL_ENERGY
from threatray.synthesis.config import Preset, TrainConfig
from threatray.synthesis.networks import ResnetGenerator
from threatray.synthesis.onnx_export import export_onnx
from threatray.synthesis.onnx_faster import faster_layers, fewer_multiplications
from threatray.synthesis.paper_config import Condition, Norm, PaperNetworks
from threatray.synthesis.train import CycleGan
from threatray.synthesis.translate import Translator

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def convolution(inputs, outputs, side, *, bias=True, grown=None, **attributes):
    """A model of one 3x3 convolution, of any number of pictures."""
    rng, kind = np.random.default_rng(0), onnx.TensorProto.FLOAT
    grown = side if grown is None else grown
    given = onnx.helper.make_tensor_value_info("x", kind, ["n", inputs, side, side])
    made = onnx.helper.make_tensor_value_info("y", kind, ["n", outputs, grown, grown])
    groups = attributes.get("group", 1)
    weights = {"w": rng.normal(0, 0.1, (outputs, inputs // groups, 3, 3)), "b": rng.normal(0, 0.1, outputs)}
    names = ["x", "w", "b"] if bias else ["x", "w"]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", names, ["y"], **attributes)],
        "g",
        [given],
        [made],
        [onnx.numpy_helper.from_array(weights[name].astype(np.float32), name) for name in names[1:]],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)


def run(model, x):
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, {"x": x})[0]


@pytest.mark.parametrize(("bias", "pads", "grown"), [(True, [1, 1, 1, 1], 8), (False, [0, 0, 0, 0], 8), (True, None, 12)])
def test_products_of_windows_give_the_convolution_for_any_number_of_pictures(bias, pads, grown):
    side = grown if pads == [1, 1, 1, 1] else grown + 2
    model = convolution(128, 160, side, bias=bias, grown=grown, **({"pads": pads} if pads else {}))
    for count in (1, 3):
        x = np.random.default_rng(count).normal(size=(count, 128, side, side)).astype(np.float32)
        wanted, faster = run(model, x), onnx.ModelProto.FromString(model.SerializeToString())
        assert fewer_multiplications(faster) == 1
        got = run(faster, x)
        assert got.shape == wanted.shape
        assert np.abs(got - wanted).max() < 3e-5 * np.abs(wanted).max()
    assert not [node for node in faster.graph.node if node.op_type == "Conv" and "w" in node.input]
    assert len(faster.SerializeToString()) < len(model.SerializeToString()) + 40_000, "kernels are kept as they are"


@pytest.mark.parametrize(
    ("channels", "side", "attributes"),
    [
        (64, 8, {"pads": [1, 1, 1, 1]}),  # slower
        (128, 10, {"pads": [1, 1, 1, 1]}),  # not whole tiles
        (128, 8, {"pads": [1, 1, 1, 1], "strides": [2, 2], "grown": 4}),
        (128, 8, {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
        (256, 8, {"pads": [1, 1, 1, 1], "group": 2}),
        (128, 8, {"auto_pad": "SAME_UPPER"}),
    ],
)
def test_what_the_rule_does_not_fit_stays(channels, side, attributes):
    model = convolution(channels, channels, side, **attributes)
    before = model.SerializeToString()
    assert fewer_multiplications(model) == 0
    assert model.SerializeToString() == before


@pytest.mark.parametrize("norm", list(Norm))
def test_faster_layers_compute_what_the_network_computes(norm):
    torch.manual_seed(0)
    net = ResnetGenerator(4, 3, width=8, blocks=1, norm=norm).double().eval()
    for weight in net.parameters():
        nn.init.normal_(weight, 0.0, 0.2)
    kept, state = {name: weight.clone() for name, weight in net.state_dict().items()}, torch.get_rng_state()
    faster = faster_layers(net)
    assert torch.equal(torch.get_rng_state(), state)
    assert not [layer for layer in faster.modules() if isinstance(layer, nn.ConvTranspose2d | nn.GroupNorm)]
    with torch.inference_mode():
        for count in (1, 2):
            x = torch.rand(count, 4, 16, 24, dtype=torch.float64)
            assert (faster(x) - net(x)).abs().max() < 1e-9
    assert all(torch.equal(weight, kept[name]) for name, weight in net.state_dict().items()), "the network itself is left alone"


def test_the_published_network_is_exported_with_fewer_multiplications(tmp_path):
    paper = PaperNetworks(width=32, blocks=2, disc_layers=1)
    config = TrainConfig(preset=Preset.PAPER, size=16, steps=1, condition=Condition.NONE, paper=paper)
    translator = Translator.of(CycleGan(config, ("gun",), DUAL_ENERGY, seed=0))
    assert export_onnx(translator, tmp_path / "m.onnx") < 0.05
    kinds = [node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node]
    assert kinds.count("MatMul") == 2 * 2 * paper.blocks, "products, and kernels transformed on loading"
    assert kinds.count("InstanceNormalization") == 5 + 2 * paper.blocks
    assert "Mul" not in kinds
