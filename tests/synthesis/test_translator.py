"""Translators by name: the shipped ones, one of one's own, and what is said of names that are none."""

import subprocess
import sys

import numpy as np
import pytest
from toy import CLASSES, domains, photo

from threatray.core import DUAL_ENERGY
from threatray.errors import ConfigError
from threatray.synthesis.config import TrainConfig
from threatray.synthesis.cut import Cut, FastCut
from threatray.synthesis.train import CycleGan, UnpairedGan
from threatray.synthesis.translate import Translator
from threatray.synthesis.translator import make_translator, translator_class
from threatray.synthesis.translator_names import TRANSLATORS


def made(name, **settings):
    return make_translator(TrainConfig(translator=name, size=16, steps=2, batch_size=2, **settings), CLASSES, DUAL_ENERGY, seed=0)


def test_every_shipped_name_makes_its_class():
    assert {name: type(made(name)) for name in TRANSLATORS} == {"cyclegan": CycleGan, "cut": Cut, "fastcut": FastCut}


@pytest.mark.parametrize("name", [*TRANSLATORS, "mean_translator:MeanTranslator"])
def test_every_translator_trains_saves_says_who_made_the_file_and_translates(tmp_path, name):
    path, model = tmp_path / "training.pt", made(name)
    result = model.fit(*domains(), checkpoint=path)
    assert result.finished
    photos, _ = domains()
    drawn = model.translate(photos.tensors, photos.class_index)
    assert drawn.shape == (len(photos), 2, 16, 16)
    assert drawn.abs().max() <= 1
    again = made(name)
    again.restore(path)
    assert (again.translate(photos.tensors, photos.class_index) == drawn).all()

    loaded = Translator.load(path)
    assert loaded.config.translator == name
    _, pixels, mask, label = photo(CLASSES[0], np.random.default_rng(0))
    signature = loaded.signature(pixels, mask, label, name="s", source_id="p", group="g")
    assert (signature.image.values[:, ~mask] == 1).all()
    assert (signature.image.values[:, mask] < 1).any()


def test_a_translator_of_ones_own_draws_what_it_says(tmp_path):
    path, model = tmp_path / "training.pt", made("mean_translator:MeanTranslator")
    model.fit(*domains(), checkpoint=path)
    _, pixels, mask, label = photo("bar", np.random.default_rng(0))
    signature = Translator.load(path).signature(pixels, mask, label, name="s", source_id="p", group="g")
    expected = model.config.encoding.decode(model.means[CLASSES.index("bar")]).tolist()
    for channel, value in zip(signature.image.values, expected, strict=True):
        assert channel[mask] == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fast_cut", "translator is one of cyclegan, cut, fastcut, or your own 'module:attribute'; got 'fast_cut'"),
        ("a b:c", "or your own 'module:attribute'; got 'a b:c'"),
        ("no_such_module:Model", r"'no_such_module:Model': No module named 'no_such_module'\. Install it, or put its folder on PYTHONPATH"),
        ("mean_translator:Model", "module mean_translator has no 'Model'"),
        ("mean_translator:OFFERS_NOTHING", r"offers no fit, translate, restore; it needs fit, translate, restore"),
        ("subprocess:run", "offers no fit, translate, restore"),
    ],
)
def test_a_name_that_names_no_translator_is_refused(name, text):
    with pytest.raises(ConfigError, match=text):
        made(name)


def test_the_gans_share_one_loop():
    assert all(issubclass(translator_class(name), UnpairedGan) for name in TRANSLATORS)


def test_naming_a_translator_loads_no_torch():
    code = (
        "import sys\nfrom threatray.synthesis.config import TrainConfig\nTrainConfig(translator='cut')\nassert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
