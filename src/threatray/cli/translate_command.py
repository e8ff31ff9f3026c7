"""``threatray translate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.pipeline.stages.translate_stage import TranslateConfig
from threatray.pipeline.stages.translate_stage import translate as translate_stage


def translate(
    *,
    photos: Path,
    train: Path,
    signatures: Path | None = None,
    out: Path = Path("translated"),
    config: Annotated[TranslateConfig, Parameter(name="*")] = TranslateConfig(),
    common: Common = Common(),
) -> int:
    """Translate photo crops to X-ray signatures and gate them.

    Args:
        photos: Folder of ``threatray photos``, or one with testA or trainA as CycleGAN code reads it.
        train: Folder of ``threatray train``; or a folder or file of the CycleGAN code (latest_net_G_A.pth); or model.onnx.
        signatures: Folder of ``threatray signatures``, or one with trainB; the gate learns the classes from it. Not used with
            ``--runtime onnx``.
        out: Folder to make: accepted/, rejected/, verdicts.json.
        config: The gate's limits.
    """
    return common.finish(out, translate_stage(config, photos, signatures, train, out, common.run()))
