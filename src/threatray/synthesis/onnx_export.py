"""A trained generator as one ONNX file, checked against the network it came from."""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from threatray.core.files import whole_file
from threatray.errors import CheckFailed, ConfigError
from threatray.synthesis.networks import MaskedGenerator
from threatray.synthesis.onnx_faster import faster_layers, fewer_multiplications
from threatray.synthesis.onnx_translator import INPUTS, METADATA, OUTPUT, OnnxTranslator
from threatray.synthesis.translate import Translator

_OPSET: Final = 20
_CHECKED: Final = 3
MOST_LEVELS: Final = 0.5
"""Grey levels (of 256) by which an exported model may differ from its network."""


class _Bare(nn.Module):
    """The generator with its inputs as separate tensors."""

    def __init__(self, generator: MaskedGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, photo: torch.Tensor, mask: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        return self.generator.inside(photo, mask, class_index)


def export_onnx(translator: Translator, path: Path) -> float:
    """Write a translator's generator as ONNX, in 32 bits, for any number of photos at a time.

    Args:
        translator: From a checkpoint, ours or the CycleGAN code's.
        path: The file to make.

    Returns:
        The largest difference of onnxruntime's pictures from torch's on random photos, in grey levels of 256.

    Raises:
        ConfigError: onnx or onnxscript is not installed, or the translator is not a network of ours.
        CheckFailed: The difference exceeds ``MOST_LEVELS``; no file is left.
    """
    generator = translator.generator
    if not isinstance(generator, MaskedGenerator):
        raise ConfigError("export: only translators that are one network can be written as ONNX.")
    size = translator.config.size
    photos = torch.rand(_CHECKED, 4, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    photos[:, -1:] = (photos[:, -1:] > -0.5).float()
    classes = torch.arange(_CHECKED) % max(1, len(translator.class_names))
    given = (photos[:, :-1], photos[:, -1:], classes)
    settings = {
        "config": replace(translator.config).as_json(),
        "class_names": list(translator.class_names),
        "channels": list(translator.channels),
        "checkpoint": translator.checkpoint,
    }
    with whole_file(path) as temporary:
        _write(faster_layers(_Bare(generator)).eval(), given, temporary, json.dumps(settings, sort_keys=True))
        there = OnnxTranslator.load(temporary).encoded(photos.numpy(), classes.numpy(), _CHECKED)
        here = translator.encoded(photos.numpy(), classes.numpy(), _CHECKED)
        levels = float(np.abs(there - here).max()) * 127.5
        if not levels <= MOST_LEVELS:
            raise CheckFailed(f"export: {path} would differ from the network by up to {levels:.2f} grey levels; nothing was written.")
    return levels


def _write(net: nn.Module, given: tuple[torch.Tensor, ...], path: Path, settings: str) -> None:
    onnx = _onnx()
    batch = torch.export.Dim("batch", min=1)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the exporter's own
        program = torch.onnx.export(
            net,
            given,
            input_names=INPUTS,
            output_names=[OUTPUT],
            opset_version=_OPSET,
            dynamo=True,
            dynamic_shapes=tuple({0: batch} for _ in INPUTS),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    fewer_multiplications(model)
    for part in (
        model.graph,
        *model.graph.node,
        *model.graph.value_info,
        *model.graph.input,
        *model.graph.output,
        *model.graph.initializer,
    ):
        del part.metadata_props[:]  # paths and lines of this machine
        part.doc_string = ""
    del model.metadata_props[:]
    model.metadata_props.add(key=METADATA, value=settings)
    onnx.save(model, str(path))


def _onnx() -> Any:
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError:
        raise ConfigError("export: writing ONNX needs onnx and onnxscript. Install them: pip install 'threatray[onnx]'.") from None
    return onnx
