"""How a whole run says that it is done."""

from __future__ import annotations

from threatray.cli.common import Common
from threatray.pipeline.whole_way import Finished


def finish_whole_way(finished: Finished, common: Common) -> int:
    """Print the summary table, the verdicts and where the report is; the exit code."""
    result = {
        "stage": "report",
        "out": finished.report.as_posix(),
        "summary": {
            **{made.stage: dict(made.summary) for made in finished.stages if made.stage not in ("report", "uplift")},
            "verdicts": {str(place + 1): sentence for place, sentence in enumerate(finished.verdicts)},
        },
    }
    common.print_result(result)
    return 0
