"""What a run cannot show, said before anyone has to ask."""

from __future__ import annotations

from threatray.report.fidelity import Fidelity
from threatray.report.folder import RunFolder
from threatray.report.tables import plural
from threatray.report.uplift import Uplift

_FEW_SEEDS = 5
_FEW_ITEMS = 100


def state_limits(folder: RunFolder, *, uplift: Uplift | None, fidelity: Fidelity | None) -> tuple[str, ...]:
    """The limits that hold for any run, and those that this run's own numbers show."""
    found: list[str] = []
    if folder.has("phantom"):
        found.append(
            "Photos, scans and bags come from the embedded phantom: shapes and materials are simplified, "
            "and no figure here is a claim about a real scanner."
        )
    else:
        found.append("No true X-ray of the photographed objects is known, so translations can only be compared with other objects' X-rays.")
    if uplift is None:
        found.append("No detector was trained, so nothing here says whether the synthetic threats help one.")
    else:
        if uplift.seeds < _FEW_SEEDS:
            found.append(
                f"The detector comparison rests on {plural(uplift.seeds, 'training seed')}. Intervals from so few repeats are wide "
                f"and themselves uncertain; use at least {_FEW_SEEDS} before believing a small difference."
            )
        found.append("The detector is small and trained briefly, on equal budgets in every arm; a larger one may gain more or less.")
    small = [score for score in (fidelity.scores.rows if fidelity else ()) if score[3].value is not None and score[3].value < _FEW_ITEMS]
    if small:
        found.append(
            f"{len(small)} of the fidelity figures were measured on fewer than {_FEW_ITEMS} items; read their intervals, not their values."
        )
    found.append(
        "A translation draws what the training signatures taught it to expect inside such a silhouette. "
        "What the camera could not see is plausible, not measured."
    )
    found.append("Synthetic threats are for training and testing detectors. They are no evidence about any real object.")
    return tuple(found)
