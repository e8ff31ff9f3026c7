"""A translator of one's own that trains no network: every object gets its class's mean transmission."""

import json

import torch

from threatray.synthesis.checkpoint import load_checkpoint, save_checkpoint
from threatray.synthesis.train import FitResult
from threatray.synthesis.translator import heading


class MeanTranslator:
    def __init__(self, config, class_names, channels_b, *, seed):
        self.config, self.class_names, self.channels_b, self.seed = config, class_names, channels_b, seed
        self.means = torch.ones(len(class_names), len(channels_b))

    def fit(self, domain_a, domain_b, *, checkpoint=None, on_progress=None, on_samples=None, should_stop=None, examine=None):
        for index in range(len(self.class_names)):
            some = domain_b.tensors[domain_b.of_class(index)]
            self.means[index] = (some[:, :-1] * some[:, -1:]).sum((0, 2, 3)) / some[:, -1:].sum()
        if checkpoint is not None:
            save_checkpoint(
                checkpoint, {**heading(self.config, self.class_names, self.channels_b, seed=self.seed, step=1), "means": self.means}
            )
        return FitResult(1, True, None, 0.0, 0.0, ())

    def translate(self, photos, class_index):
        return self.means[class_index][:, :, None, None].expand(-1, -1, *photos.shape[2:])

    def restore(self, path):
        state = load_checkpoint(path)
        assert json.loads(state["config"]) == self.config.as_json()
        self.means = state["means"]


OFFERS_NOTHING = object()
