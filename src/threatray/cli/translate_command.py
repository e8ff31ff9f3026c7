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
    signatures: Path,
    train: Path,
    out: Path = Path("translated"),
    config: Annotated[TranslateConfig, Parameter(name="*")] = TranslateConfig(),
    common: Common = Common(),
) -> int:
    """Translate photo crops to X-ray signatures and gate them.

    Args:
        photos: Folder of ``threatray photos``.
        signatures: Folder of ``threatray signatures``; the gate learns the classes from it.
        train: Folder of ``threatray train``.
        out: Folder to make: accepted/, rejected/, verdicts.json.
        config: The gate's limits.
    """
    return common.finish(out, translate_stage(config, photos, signatures, train, out, common.run()))
