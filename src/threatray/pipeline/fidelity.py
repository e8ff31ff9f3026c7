"""The figures of fidelity that the scoring stage writes: of two sets in any features, and of the translations by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import Score, derive, stream
from threatray.core.score import as_named
from threatray.errors import DataError

if TYPE_CHECKING:
    from threatray.metrics.encoder import DomainEncoder, EncoderConfig
    from threatray.pipeline.canvases import Canvases

_SHOWN: Final = 12
"""Translations nearest to the training set that are listed for the report."""


def set_scores(
    made: NDArray[Any], reference: NDArray[Any], *, pair: str, extractor: str, seed: int, subsets: int, neighbours: int
) -> tuple[Score, ...]:
    """KID first, then FID, precision, recall, density and coverage of one set against another, in given features.

    Args:
        made: (M, D).
        reference: (N, D).
        pair: The two sets' names, as they stand in the scores' names.
        extractor: The features' name.
        seed: Of subsets and resamples.
        subsets: Of KID.
        neighbours: Of precision and recall; fewer where a set is that small.
    """
    from threatray.metrics.fid import fid
    from threatray.metrics.kid import kid
    from threatray.metrics.precision_recall import precision_recall

    distance = kid(made, reference, extractor=extractor, rng=stream(seed, "score", "subsets"), name=f"KID({pair})", subsets=subsets)
    frechet = fid(made, reference, extractor=extractor, name=f"FID({pair})", rng=stream(seed, "score", "fid"))
    found = precision_recall(reference, made, extractor=extractor, neighbours=min(neighbours, len(made) - 1, len(reference) - 1))
    shares = (found.precision, found.recall, found.density, found.coverage)
    return distance, frechet, *(as_named(share, f"{share.name}({pair})") for share in shares)


def recognition_scores(
    encoder: DomainEncoder, made: Canvases, real: Canvases, class_names: tuple[str, ...], config: EncoderConfig, seed: int
) -> list[Score]:
    """GAN-test, GAN-train, and what a classifier trained on one half of the real signatures makes of the other half.

    Args:
        encoder: Trained on the real signatures.
        made: The translations.
        real: The real signatures.
        class_names: The classes.
        config: How the classifiers are trained, all alike.
        seed: Of the trainings.
    """
    from threatray.metrics.encoder import DomainEncoder
    from threatray.metrics.recognition import class_agreement

    judged = [
        class_agreement(
            encoder.probabilities(made.transmission),
            made.class_index.numpy(),
            extractor=encoder.name,
            name="GAN-test: translations named rightly by a classifier of real signatures",
        )
    ]
    images, labels = real.transmission, real.class_index
    trained = DomainEncoder.train(made.transmission, made.class_index, class_names, seed=derive(seed, "gan-train"), config=config)
    known = np.isin(labels.numpy(), made.class_index.numpy())
    if known.any():
        judged.append(
            class_agreement(
                trained.probabilities(images[known]),
                labels.numpy()[known],
                extractor=trained.name,
                name="GAN-train: real signatures named rightly by a classifier of translations",
            )
        )
    half = _halves(labels.numpy(), seed)
    if half.any() and (~half).any():
        other = DomainEncoder.train(images[half], labels[half], class_names, seed=derive(seed, "gan-train"), config=config)
        judged.append(
            class_agreement(
                other.probabilities(images[~half]),
                labels.numpy()[~half],
                extractor=other.name,
                name="for comparison: real signatures named rightly by a classifier of other real ones",
            )
        )
    return judged


def _halves(labels: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Half of each class that has two or more; classes of one are in neither half's training."""
    half = np.zeros(len(labels), np.bool_)
    rng = stream(seed, "score", "halves")
    for one in sorted(set(labels.tolist())):
        places = rng.permutation(np.flatnonzero(labels == one))
        half[places[: (len(places) + 1) // 2 if len(places) > 1 else 0]] = True
    return half


def variety_scores(
    made: NDArray[Any],
    real: NDArray[Any],
    made_class: NDArray[Any],
    real_class: NDArray[Any],
    class_names: Sequence[str],
    name: str,
    seed: int,
) -> list[Score]:
    """Diversity and near-duplicates of the translations of each class, against the real signatures of it."""
    from threatray.metrics.diversity import diversity, duplicates

    found, twice, judged = [], 0, 0
    for index, label in enumerate(class_names):
        mine, theirs = made[made_class == index], real[real_class == index]
        if len(mine) < 3 or len(theirs) < 3:
            continue
        rng = stream(seed, "score", "diversity", label)
        try:
            found.append(diversity(mine, theirs, extractor=name, rng=rng, name=f"diversity of {label} (translated / real)"))
        except DataError:  # real signatures that are all one
            continue
        twice += len({place for pair in duplicates(mine, theirs) for place in pair})
        judged += len(mine)
    if judged:
        found.append(Score("share of translations with a near-duplicate", twice / judged, None, None, judged, name, higher_is_better=False))
    return found


def memorisation_scores(
    made: NDArray[Any], training: NDArray[Any], unseen: NDArray[Any] | None, ids: Sequence[str], known: Sequence[str], name: str, seed: int
) -> tuple[list[Score], list[dict[str, Any]]]:
    """How near translations lie to the training signatures, and the nearest pairs, for pictures.

    Args:
        made: Features of the translations.
        training: Of the real signatures that the translator was trained on.
        unseen: Of real things it never saw; None if there are none.
        ids: Ids of the translations.
        known: Ids of the training signatures.
        name: The features' name.
        seed: Of thinnings and resamples.
    """
    from threatray.metrics.memorisation import memorisation_ratio, nearest_training

    which, how_near = nearest_training(made, training)
    rng = stream(seed, "score", "memorisation")
    drawn = np.median(how_near[rng.integers(len(how_near), size=(1000, len(how_near)))], axis=1)
    low, high = (float(end) for end in np.quantile(drawn, [0.025, 0.975]))
    title = "distance to the nearest training signature (1: as far as one real signature from the next)"
    scores = [Score(title, float(np.median(how_near)), low, high, len(made), name, higher_is_better=True)]
    if unseen is not None and len(unseen) > 1:
        ratio = memorisation_ratio(made, training, unseen, extractor=name, rng=rng)
        scores.append(as_named(ratio, "memorisation ratio (near 0: copies; 1: no nearer to training than to unseen X-rays)"))
    nearest = [
        {"id": ids[place], "nearest": known[int(which[place])], "distance": round(float(how_near[place]), 4)}
        for place in np.argsort(how_near, kind="stable")[:_SHOWN].tolist()
    ]
    return scores, nearest
