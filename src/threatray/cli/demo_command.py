"""``threatray demo``."""

from __future__ import annotations

from pathlib import Path

from threatray.cli.common import Common
from threatray.cli.whole_way import finish_whole_way
from threatray.pipeline.demo import DemoSize, demo_project, make_phantom
from threatray.pipeline.whole_way import run_project


def demo(*, out: Path = Path("demo"), size: DemoSize = DemoSize.FULL, translator: str = "cyclegan", common: Common = Common()) -> int:
    """Run the whole way on the embedded scanner and write a report.

    Args:
        out: The run folder.
        size: ``full`` takes about 10 minutes on two cores; ``smoke`` shows in about one that everything works, and no more than that.
        translator: What is trained from photos to X-rays: ``cyclegan``, ``cut``, ``fastcut``, or ``module:attribute`` of your own.
    """
    run = common.run()
    out.mkdir(parents=True, exist_ok=True)
    made = make_phantom(size, out, run)
    return finish_whole_way(run_project(demo_project(size, out, translator=translator), out, run, before=(made,)), common)
