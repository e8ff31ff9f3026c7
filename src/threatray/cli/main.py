"""The ``threatray`` command: finds the subcommand, carries it out, turns failures into messages and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from cyclopts import App, CycloptsError, Parameter

from threatray import __version__
from threatray.errors import ConfigError, ThreatrayError

INTERRUPTED: Final = 130
UNFORESEEN: Final = 1

COMMANDS: Final = {
    "demo": "Run the whole way on the embedded scanner and write a report.",
    "run": "Run the whole way on your own scans and photos, as a project file says.",
    "init": "Write a project file to fill in, or the shipped taxonomy to change.",
    "doctor": "Check this machine and installation.",
    "phantom": "Make scans, benign bags, photos and a test set with the embedded scanner and camera.",
    "inspect": "Count what is in a dataset: classes, sizes, scanners, copies, known traps, faults; as a page and as JSON.",
    "convert": "Write a dataset in another format.",
    "split": "Split scans and bags into training, validation and test, never cutting a bag.",
    "photos": "Cut objects out of photos.",
    "signatures": "Isolate threat signatures from labelled scans, or from threats that were scanned alone.",
    "library": "Look through, filter, join and deduplicate signature libraries.",
    "train": "Train a translator (CycleGAN, CUT, FastCUT) from photo crops to X-ray signatures.",
    "translate": "Translate photo crops to X-ray signatures and gate them.",
    "export": "Write a trained translator as ONNX, or as checkpoints of the CycleGAN code.",
    "plan": "Decide how many composites of which class are needed.",
    "compose": "Project signatures into benign bags and write a labelled dataset.",
    "control": "Make the control arm of composites: photos pasted instead of projected.",
    "score": "Measure how close translated signatures are to real ones.",
    "uplift": "Train detectors with and without the synthetic part and compare them.",
    "search": "Find the synthetic multiple that serves best, on validation images alone.",
    "sweep": "Run a project with fewer and more real threats and several synthetic multiples.",
    "report": "Write the report of a run as one HTML file.",
}


def build_app() -> App:
    """The command line, with every subcommand loaded only when it is called."""
    app = App(
        name="threatray",
        help="Photos of threats to X-ray signatures, projected into benign bags, and the proof of what it is worth.",
        version=__version__,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,  # main says how to go on
        default_parameter=Parameter(consume_multiple=True),  # --arms a b, as the help shows it
    )
    for name, help_text in COMMANDS.items():
        app.command(f"threatray.cli.{name}_command:{name}", name=name, help=help_text)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the return value is the exit code.

    Returns:
        0 done, 2 wrong command or configuration, 3 wrong data, 4 a check failed, 130 interrupted, 1 anything else.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        result = build_app()(words, exit_on_error=False, print_error=False, result_action="return_value")
        return result if isinstance(result, int) else 0
    except (CycloptsError, ThreatrayError) as error:
        if debug:
            raise
        failure = ConfigError(f"{error} See 'threatray --help'.") if isinstance(error, CycloptsError) else error
        return _fail(str(failure), failure.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted. What was finished is kept: run the same command again to go on.", INTERRUPTED)
    except BrokenPipeError:
        return UNFORESEEN
    except Exception as error:
        if debug:
            raise
        return _fail(f"unforeseen failure ({type(error).__name__}: {error}). Run again with --debug and report what it prints.", UNFORESEEN)


def _fail(message: str, code: int) -> int:
    print(f"threatray: {message}", file=sys.stderr, flush=True)  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main())
