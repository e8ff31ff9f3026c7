"""Which translators there are, and what an object must offer to be one; importable without torch."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from threatray.errors import ConfigError
from threatray.synthesis.translator_names import TRANSLATORS, check_translator_name

if TYPE_CHECKING:
    import torch

    from threatray.synthesis.config import TrainConfig
    from threatray.synthesis.domain import DomainSet
    from threatray.synthesis.train import FitResult, Progress, Samples
    from threatray.synthesis.validation import Examine

_OFFERED: Final = ("fit", "translate", "restore")


class UnpairedTranslator(Protocol):
    """Learns from photos and signatures that are no pairs, then makes signatures of photos.

    Any object will do. It is made by calling what its entry names with ``(config, class_names, channels_b, seed=...)``; ``UnpairedGan``
    gives the loop, the averaged weights and the checkpoint to those that train networks against discriminators.
    """

    def fit(
        self,
        domain_a: DomainSet,
        domain_b: DomainSet,
        *,
        checkpoint: Path | None = None,
        on_progress: Progress | None = None,
        on_samples: Callable[[Samples], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        examine: Examine | None = None,
    ) -> FitResult:
        """Train up to ``config.steps``.

        ``checkpoint``, if given, is a file that exists afterwards, made by ``save_checkpoint`` of a state that begins with ``heading``; if
        it exists before, training goes on from there and ends with the bytes of an undisturbed one. ``examine`` measures this object
        (through ``translate``) at a step; whoever calls it keeps the best state beside the checkpoint, see ``KeptCheckpoints``.
        """
        ...

    def translate(self, photos: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        """(N, 4, S, S) canvas photos with masks to (N, C, S, S) encoded transmissions in [-1, 1]; what lies outside a mask is not used."""
        ...

    def restore(self, path: Path) -> None:
        """Become what ``fit`` saved in this checkpoint."""
        ...


def translator_class(name: str) -> Callable[..., UnpairedTranslator]:
    """The class (or function) that makes the translators of a name.

    Raises:
        ConfigError: The module cannot be imported, has no such attribute, or what is there does not offer all of ``fit``, ``translate``
            and ``restore``.

    Note:
        A name of your own imports that module, so it must be installed or on ``PYTHONPATH``, and runs what the module runs when imported.

    Example:
        >>> translator_class("cyclegan").__name__
        'CycleGan'
    """
    check_translator_name(name)
    module, attribute = TRANSLATORS.get(name, name).split(":")
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise ConfigError(f"train: translator {name!r}: {error}. Install it, or put its folder on PYTHONPATH.") from None
    except AttributeError:
        raise ConfigError(f"train: translator {name!r}: module {module} has no {attribute!r}.") from None
    missing = [each for each in _OFFERED if not callable(getattr(found, each, None))]
    if missing:
        raise ConfigError(f"train: translator {name!r} offers no {', '.join(missing)}; it needs {', '.join(_OFFERED)}.")
    return found  # type: ignore[no-any-return]


def make_translator(config: TrainConfig, class_names: tuple[str, ...], channels_b: tuple[str, ...], *, seed: int) -> UnpairedTranslator:
    """An untrained translator of ``config.translator``.

    Raises:
        ConfigError: See ``translator_class``; or the translator refuses the configuration.
    """
    return translator_class(config.translator)(config, class_names, channels_b, seed=seed)


def heading(config: TrainConfig, class_names: tuple[str, ...], channels_b: tuple[str, ...], *, seed: int, step: int) -> dict[str, Any]:
    """What every checkpoint begins with: which translator made it, of what, and how far it is."""
    return {
        "config": json.dumps(config.as_json(), sort_keys=True),
        "class_names": list(class_names),
        "channels_b": list(channels_b),
        "seed": seed,
        "step": step,
    }
