"""``threatray signatures``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.cli.data_options import DataOptions
from threatray.errors import ConfigError
from threatray.pipeline.sources import PartName
from threatray.pipeline.stages.isolated_stage import IsolatedConfig, isolated_signatures
from threatray.pipeline.stages.signatures_stage import SignaturesConfig
from threatray.pipeline.stages.signatures_stage import signatures as signatures_stage


def signatures(
    *,
    split: Path | None = None,
    isolated: Path | None = None,
    class_name: Annotated[str | None, Parameter(name="--class")] = None,
    source: str = "unknown",
    licence: str = "unknown",
    part: PartName = PartName.TRAIN,
    out: Path = Path("signatures"),
    data: DataOptions = DataOptions(),
    config: Annotated[SignaturesConfig, Parameter(name="*")] = SignaturesConfig(),
    common: Common = Common(),
) -> int:
    """Isolate threat signatures from labelled scans, or from threats that were scanned alone.

    Args:
        split: Folder of ``threatray split``: take threats out of its training scans.
        isolated: Folder of scans with a threat alone in air, instead of --split: pictures, or 16-bit pairs x_low.png and x_high.png.
        class_name: The class of all scans in --isolated; if not given, each of its subfolders is a class.
        source: Where the scans of --isolated come from, kept with every signature.
        licence: Under which terms, kept with every signature.
        part: With --split: whose threats. Those of the validation or test scans are for ``threatray score --held-back`` alone.
        out: Folder to make.
        data: The datasets that were split; --classes and --aliases count for --isolated too.
        config: How threats are isolated.
    """
    if (split is None) == (isolated is None):
        raise ConfigError("signatures: give either --split (threats in labelled scans) or --isolated (threats scanned alone).")
    if isolated is not None:
        if part is not PartName.TRAIN:
            raise ConfigError("signatures: --part is a part of --split; scans of --isolated have none.")
        if config.remove:
            raise ConfigError("signatures: --remove takes threats out of labelled scans; with --isolated there is no bag.")
        alone = IsolatedConfig(class_name, data.white_level, source, licence)
        return common.finish(out, isolated_signatures(config, alone, data.taxonomy, isolated, out, common.run()))
    assert split is not None
    if (class_name, source, licence) != (None, "unknown", "unknown"):
        raise ConfigError("signatures: --class, --source and --licence belong to --isolated.")
    return common.finish(out, signatures_stage(config, data.taxonomy, data.datasets, split, out, common.run(), part=part))
