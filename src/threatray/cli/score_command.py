"""``threatray score``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.errors import ConfigError
from threatray.pipeline.stages.score_stage import ScoreConfig
from threatray.pipeline.stages.score_stage import score as score_stage


def score(
    *,
    photos: Path,
    signatures: Path,
    train: Path,
    translate: Path,
    truth: Path | None = None,
    held_back: Path | None = None,
    out: Path = Path("scores"),
    config: Annotated[ScoreConfig, Parameter(name="*")] = ScoreConfig(),
    common: Common = Common(),
) -> int:
    """Measure how close translated signatures are to real ones.

    Args:
        photos: Folder of ``threatray photos``.
        signatures: Folder of ``threatray signatures``.
        train: Folder of ``threatray train``.
        translate: Folder of ``threatray translate``.
        truth: A signature library with the true X-ray of each photo, named after it.
        held_back: Folder of ``threatray signatures --part validation`` (or test): real threats that no training saw, to measure against
            instead of those that the translator was trained on.
        out: Folder to make: score.json.
        config: How it is measured.
    """
    if truth is not None and held_back is not None:
        raise ConfigError("score: give either --truth (the same objects' true X-rays) or --held-back (other real threats).")
    made = score_stage(config, photos, signatures, train, translate, out, common.run(), truth=truth, held_back=held_back)
    return common.finish(out, made)
