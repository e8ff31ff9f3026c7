"""Write a trained translator for other programs: as ONNX, or as the CycleGAN authors' code keeps its networks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from threatray.core.files import write_json
from threatray.core.manifest import RunManifest
from threatray.errors import DataError
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.pipeline.stages.train_stage import CHECKPOINT, chosen_checkpoint
from threatray.synthesis.hardware import Runtime

MODEL: Final = "model.onnx"


class ExportFormat(StrEnum):
    """What is written."""

    ONNX = "onnx"
    """``model.onnx``: the generator from photos to X-rays, for onnxruntime and whatever else reads ONNX."""

    INCUMBENT = "incumbent"
    """``latest_net_G_A.pth``, ``G_B``, ``D_A``, ``D_B`` for pytorch-CycleGAN-and-pix2pix; condition none alone."""


@dataclass(frozen=True)
class ExportConfig:
    """What to export.

    Args:
        format: What is written.
        averaged: With format incumbent, let G_A be the averaged generator, which translates better than the last one.
        canvas: Side in pixels for networks of the CycleGAN code that become ONNX.
    """

    format: ExportFormat = ExportFormat.ONNX
    averaged: bool = True
    canvas: int = 256


def export(config: ExportConfig, train: Path, out: Path, run: Run) -> RunManifest:
    """Write ``model.onnx`` or the authors' files, and ``export.json`` with what was checked.

    Args:
        config: What.
        train: Folder of ``threatray train``, or (for ONNX) a folder or file of the CycleGAN code.
        out: Folder to make.
        run: How.

    Raises:
        ConfigError: The networks cannot be written so.
        CheckFailed: What was written does not compute what was trained.
    """

    def body(work: Path) -> Outcome:
        if config.format is ExportFormat.ONNX:
            from threatray.pipeline.translators import open_translator
            from threatray.synthesis.onnx_export import export_onnx
            from threatray.synthesis.translate import Translator

            translator = open_translator(train, Runtime.TORCH, ("object",), size=config.canvas, whole=True)
            assert isinstance(translator, Translator)
            levels = export_onnx(translator, work / MODEL)
            said = {"file": MODEL, "grey_levels_from_torch": round(levels, 4), "canvas": translator.config.size}
        else:
            from threatray.synthesis.incumbent_models import export_incumbent

            checkpoint = chosen_checkpoint(train) if train.is_dir() else train
            if not checkpoint.is_file():
                raise DataError(f"{train}: no {CHECKPOINT} in it. Give a folder of `threatray train`.")
            files, settings = export_incumbent(checkpoint, work, averaged=config.averaged)
            said = {"files": sorted(path.name for path in files.values()), "options": settings}
        write_json(work / "export.json", said)
        return Outcome(said)

    return run_stage("export", config, {"train": train}, out, run, body)
