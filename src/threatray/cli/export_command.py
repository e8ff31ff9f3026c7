"""``threatray export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.pipeline.stages.export_stage import ExportConfig
from threatray.pipeline.stages.export_stage import export as export_stage


def export(
    *,
    train: Path,
    out: Path = Path("exported"),
    config: Annotated[ExportConfig, Parameter(name="*")] = ExportConfig(),
    common: Common = Common(),
) -> int:
    """Write a trained translator as ONNX, or as checkpoints of pytorch-CycleGAN-and-pix2pix.

    An ONNX file is run beside its network and compared before it is kept; ``threatray translate --runtime onnx --train model.onnx``
    needs onnxruntime alone.

    Args:
        train: Folder of ``threatray train``; for ONNX also a folder or file of the CycleGAN code.
        out: Folder to make: model.onnx or latest_net_*.pth, export.json.
        config: What is written.
    """
    return common.finish(out, export_stage(config, train, out, common.run()))
