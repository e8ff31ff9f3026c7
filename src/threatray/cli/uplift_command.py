"""``threatray uplift``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.cli.data_options import DataOptions
from threatray.pipeline.stages.uplift_stage import UpliftConfig
from threatray.pipeline.stages.uplift_stage import uplift as uplift_stage
from threatray.uplift.arms import Pool


def uplift(
    *,
    split: Path,
    composites: Path | None = None,
    reprojected: Path | None = None,
    opaque: Path | None = None,
    alpha: Path | None = None,
    earlier: tuple[Path, ...] = (),
    out: Path = Path("uplift"),
    data: DataOptions = DataOptions(),
    config: Annotated[UpliftConfig, Parameter(name="*")] = UpliftConfig(),
    common: Common = Common(),
) -> int:
    """Train detectors with and without the synthetic part and compare them on the untouched test set.

    Args:
        split: Folder of ``threatray split``.
        composites: Folder of ``threatray compose`` with translated signatures.
        reprojected: Folder of ``threatray compose`` with real signatures, for the control arm.
        opaque: Folder of ``threatray control --arm opaque_paste``, for the control arm.
        alpha: Folder of ``threatray control --arm alpha_blend``, for the control arm.
        earlier: Folders of finished ``threatray uplift`` with the same data, split, seed and detector: their detectors are taken over,
            so that more seeds or arms cost only themselves.
        out: Folder to make: results.jsonl, uplift.json.
        data: The datasets that were split.
        config: Arms, seeds, detector.
    """
    given = {Pool.TRANSLATED: composites, Pool.REPROJECTED: reprojected, Pool.OPAQUE: opaque, Pool.ALPHA: alpha}
    pools = {pool: path for pool, path in given.items() if path is not None}
    return common.finish(out, uplift_stage(config, data.taxonomy, data.datasets, split, pools, out, common.run(), earlier=earlier))
