"""What can be asked of a training; plain values, importable without torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from threatray.errors import ConfigError
from threatray.synthesis.encoding import Encoding
from threatray.synthesis.framing import Pose
from threatray.synthesis.hardware import Device, Precision
from threatray.synthesis.paper_config import UNET_LEVELS, Condition, PaperNetworks
from threatray.synthesis.translator_names import check_translator_name
from threatray.synthesis.validation import ValidationConfig


class Adversarial(StrEnum):
    """How a discriminator's logits become a loss."""

    LSGAN = "lsgan"
    VANILLA = "vanilla"
    WGAN_GP = "wgan_gp"
    """The difference of mean verdicts, with the critic's slope held near 1 (``lambda_slope``)."""
    RELATIVISTIC = "relativistic"
    """Least squares of how far real verdicts lie above the mean of made ones, and made ones below the mean of real ones."""


class Preset(StrEnum):
    """Which networks are trained."""

    TINY = "tiny"
    """Light networks of 64 channels at a quarter of the side: the demo's, minutes on two cores at 64 px."""

    BASE = "base"
    """Light networks of twice the width: an hour on two cores at 64 to 128 px."""

    PAPER = "paper"
    """ResNet generators of 9 blocks and 64 channels with 70x70 PatchGANs, plus mask and class planes: for GPUs."""

    PAPER_6 = "paper_6"
    """The same with 6 blocks, as published for 128 px."""

    UNET = "unet"
    """U-Net generators with 70x70 PatchGANs; of 6 levels the canvas must be a multiple of 64 px."""

    @property
    def light(self) -> bool:
        """Whether its networks are our own light ones, which always know mask and class."""
        return self in (Preset.TINY, Preset.BASE)


@dataclass(frozen=True)
class Weights:
    """Weights of the objective's terms.

    Args:
        lambda_cycle_a: Of photo -> X-ray -> photo. The paper's 10 makes the X-ray carry the photo's colours: brightness is copied.
        lambda_cycle_b: Of X-ray -> photo -> X-ray; 10 in the paper.
        cycle_noise: Spread of the noise added to translations before their way back, on the [-1, 1] scale. An X-ray cannot know a photo's
            brightness; asked to bring it back, a generator hides it in faint signs, which are lost in this. 0 is as published.
        lambda_identity: Of the identity terms, relative to the cycle terms as published; 0 leaves them out. They exist only where both
            domains have the same channels.
        adversarial: The GAN loss; the paper's is ``lsgan``, which on few signatures gives softer things of the wrong materials.
        covered_patches: Count only those patch verdicts where the object is: on a canvas that is mostly air the others are a draw by
            construction and drown the rest. False is as published.
        lambda_moments: Of the difference of mean and spread, over the covered pixels of a batch, between made and real images. Nothing
            else holds the overall density, which generator and discriminator otherwise chase each other through. 0 leaves it out.
        r1_gamma: Of the discriminators' squared slope on real images, halved as published; 0 leaves it out. A steep X-ray discriminator
            throws the generator to where tanh has no slope, and may win for good.
        r1_every: Steps between two such penalties, each of which then weighs as much as all that were left out.
        lambda_slope: Of WGAN-GP's penalty; 10 in the paper. The other losses have none.
    """

    lambda_cycle_a: float = 0.5
    lambda_cycle_b: float = 2.0
    lambda_identity: float = 0.0
    adversarial: Adversarial = Adversarial.RELATIVISTIC
    covered_patches: bool = True
    lambda_moments: float = 2.0
    r1_gamma: float = 0.5
    r1_every: int = 8
    lambda_slope: float = 10.0
    cycle_noise: float = 0.15

    def __post_init__(self) -> None:
        for name in ("lambda_cycle_a", "lambda_cycle_b", "lambda_identity", "lambda_moments", "r1_gamma", "lambda_slope"):
            if not 0.0 <= getattr(self, name) <= 1000.0:
                raise ConfigError(f"train: {name} must lie in [0, 1000], got {getattr(self, name)}.")
        if not 0.0 <= self.cycle_noise <= 1.0:
            raise ConfigError(f"train: cycle_noise must lie in [0, 1], got {self.cycle_noise}.")
        if self.r1_every < 1:
            raise ConfigError(f"train: r1_every must be at least 1, got {self.r1_every}.")

    def swapped(self) -> Weights:
        """The same weights with A and B exchanged."""
        return replace(self, lambda_cycle_a=self.lambda_cycle_b, lambda_cycle_b=self.lambda_cycle_a)


@dataclass(frozen=True)
class NceConfig:
    """The patchwise contrastive term of CUT and FastCUT; CycleGAN has none.

    Args:
        lambda_nce: Weight of cut's and fastcut's contrastive term. The paper's 1 (cut) and 10 (fastcut) make the X-ray carry the photo's
            brightness, as a heavy cycle does.
        patches: Places of the object that cut and fastcut compare in each layer; the paper's 256 are of a whole canvas.
        temperature: What cut and fastcut divide similarities by.
        embedding: Length of the vectors that cut and fastcut compare.

    Raises:
        ConfigError: A value is out of range.
    """

    lambda_nce: float = 0.1
    patches: int = 64
    temperature: float = 0.07
    embedding: int = 64

    def __post_init__(self) -> None:
        if not 0.0 <= self.lambda_nce <= 1000.0:
            raise ConfigError(f"train: nce.lambda_nce must lie in [0, 1000], got {self.lambda_nce}.")
        for name, least in (("patches", 2), ("embedding", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"train: nce.{name} must be at least {least}, got {getattr(self, name)}.")
        if not 0.0 < self.temperature <= 10.0:
            raise ConfigError(f"train: nce.temperature must lie in (0, 10], got {self.temperature}.")


@dataclass(frozen=True)
class AugmentConfig:
    """How much a training object is changed.

    Args:
        flip: Probability of each mirroring, left-right and top-bottom. Leave it at 0 where ``pose`` lays objects upright, so that parts
            keep their place; set it to 0.5 otherwise.
        quarter_turns: Turn by a random multiple of 90 degrees.
        angle_degrees: Largest extra turn to either side.
        scale: Largest relative change of size.
        shift: Largest shift as a share of the canvas.
        brightness: Largest change of a photo's brightness, on its [-1, 1] scale.
        contrast: Largest relative change of a photo's contrast.
        tint: Largest extra change of one colour channel's brightness.
        invert: Probability that a photo's brightness is turned round, so that dark and bright carry no meaning by themselves.
        density: Largest change of a signature's thickness, as ln of the factor on its attenuation.
    """

    flip: float = 0.0
    quarter_turns: bool = False
    angle_degrees: float = 6.0
    scale: float = 0.08
    shift: float = 0.03
    brightness: float = 0.4
    contrast: float = 0.4
    tint: float = 0.1
    invert: float = 0.5
    density: float = 0.05

    def __post_init__(self) -> None:
        for name in ("flip", "invert"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"augment: {name} is a probability in [0, 1], got {getattr(self, name)}.")
        for name, most in (("angle_degrees", 180.0), ("scale", 0.5), ("shift", 0.5), ("brightness", 1.0), ("contrast", 0.9), ("tint", 1.0)):
            if not 0.0 <= getattr(self, name) <= most:
                raise ConfigError(f"augment: {name} must lie in [0, {most:g}], got {getattr(self, name)}.")
        if not 0.0 <= self.density <= 1.0:
            raise ConfigError(f"augment: density must lie in [0, 1], got {self.density}.")


@dataclass(frozen=True)
class TrainConfig:
    """What is trained and for how long.

    Args:
        translator: ``cyclegan`` (two generators, cycle consistency), ``cut`` or ``fastcut`` (one generator, patches that must be
            recognised again; fastcut for half the work), or ``module:attribute`` of your own.
        preset: The networks.
        size: Side of the canvas in pixels, a multiple of 8.
        steps: Updates of the generators.
        batch_size: Pairs a step.
        lr_generators: Adam's learning rate of both generators.
        lr_discriminators: Of both discriminators.
        adam_beta1: Adam's decay of the first moment; 0.5 in the paper. At 0 the networks have no momentum to overshoot each other with.
        constant_share: Share of the steps before the learning rates start to fall linearly to 0.
        weights: Of the objective's terms.
        nce: Of the contrastive term; cut and fastcut alone.
        augment: How objects are changed.
        pool_size: Earlier fakes kept for the discriminators, as many for each.
        ema_decay: Of the averaged ``gen_ab`` that translates.
        encoding: How transmissions are written.
        pose: How objects lie on the canvas.
        checkpoint_every: Steps between checkpoints; the last step always saves.
        sample_every: Steps between sample grids; 0 for none.
        validation: What is held back, when the model is examined on it, and when that ends the training.
        threads: Threads of torch. Their number can change the last bit, so it belongs to the configuration.
        condition: What the networks of the presets paper, paper_6 and unet are told beside the picture. ``none`` is as published.
        paper: Sizes of those networks.
        precision: Arithmetic of a step.
        accumulate: Parts that a batch is done in, one after the other, to hold less in memory; the update is that of the whole batch
            (with ``weights.covered_patches``, ``weights.lambda_moments``, the relativistic loss or batch normalisation: nearly, since
            each part counts its own patches and takes its own means).
        compile: Compile the networks: minutes once, then somewhat faster steps. Off, because it pays for itself only over hours.
        device: Where to train. A checkpoint goes on on another device, but not to the same bits.

    Raises:
        ConfigError: A value is out of range.

    Example:
        >>> TrainConfig(steps=0)
        Traceback (most recent call last):
        threatray.errors.ConfigError: train: steps must be at least 1, got 0.
    """

    translator: str = "cyclegan"
    preset: Preset = Preset.TINY
    size: int = 64
    steps: int = 700
    batch_size: int = 6
    lr_generators: float = 5e-4
    lr_discriminators: float = 1e-3
    adam_beta1: float = 0.5
    constant_share: float = 0.5
    weights: Weights = field(default_factory=Weights)
    nce: NceConfig = field(default_factory=NceConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    pool_size: int = 50
    ema_decay: float = 0.995
    encoding: Encoding = field(default_factory=Encoding)
    pose: Pose = Pose.STRETCHED
    checkpoint_every: int = 200
    sample_every: int = 0
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    threads: int = 1
    condition: Condition = Condition.MASK_AND_CLASS
    paper: PaperNetworks = field(default_factory=PaperNetworks)
    precision: Precision = Precision.FP32
    accumulate: int = 1
    compile: bool = False
    device: Device = Device.CPU

    def __post_init__(self) -> None:
        check_translator_name(self.translator)
        limits = {"steps": 1, "batch_size": 1, "accumulate": 1, "checkpoint_every": 1, "threads": 1, "sample_every": 0, "pool_size": 0}
        for name, least in limits.items():
            if getattr(self, name) < least:
                raise ConfigError(f"train: {name} must be at least {least}, got {getattr(self, name)}.")
        if self.size < 16 or self.size % 8:
            raise ConfigError(f"train: size must be a multiple of 8 and at least 16, got {self.size}.")
        levels = self.paper.levels or UNET_LEVELS
        if self.preset is Preset.UNET and self.size % 2**levels:
            raise ConfigError(
                f"train: the U-Net halves the canvas {levels} times, so size must be a multiple of {2**levels}, got {self.size}."
            )
        least_side = 3 * 2**self.paper.disc_layers if self.paper.disc_layers else 1
        if not self.preset.light and self.size < least_side:
            raise ConfigError(
                f"train: a PatchGAN of {self.paper.disc_layers} layers leaves nothing of a canvas under {least_side} px, got {self.size}. "
                "Take tiny, fewer paper.disc_layers, or a larger size."
            )
        if self.preset.light and (self.condition is not Condition.MASK_AND_CLASS or self.paper != PaperNetworks()):
            raise ConfigError(
                f"train: condition and paper are for the presets paper, paper_6 and unet; {self.preset} has networks of its own. "
                "Choose one of those presets, or leave both as they are."
            )
        if self.batch_size % self.accumulate:
            raise ConfigError(f"train: accumulate must divide batch_size {self.batch_size}, got {self.accumulate}.")
        for name in ("lr_generators", "lr_discriminators"):
            if not 0.0 < getattr(self, name) <= 0.1:
                raise ConfigError(f"train: {name} must lie in (0, 0.1], got {getattr(self, name)}.")
        if not 0.0 <= self.constant_share <= 1.0:
            raise ConfigError(f"train: constant_share must lie in [0, 1], got {self.constant_share}.")
        if not 0.0 <= self.adam_beta1 < 1.0:
            raise ConfigError(f"train: adam_beta1 must lie in [0, 1), got {self.adam_beta1}.")
        if not 0.0 <= self.ema_decay < 1.0:
            raise ConfigError(f"train: ema_decay must lie in [0, 1), got {self.ema_decay}.")

    @classmethod
    def published(
        cls,
        *,
        translator: str = "cyclegan",
        size: int = 256,
        steps: int = 200_000,
        pose: Pose = Pose.AS_IS,
        condition: Condition = Condition.MASK_AND_CLASS,
    ) -> Self:
        """The paper's networks, rates, weights and augmentation, for comparison; masks and classes are known unless ``condition`` is none.

        Source:
            Zhu et al. 2017, section 4 and appendix 7.1; for cut and fastcut Park et al. 2020.

        Example:
            >>> config = TrainConfig.published()
            >>> config.batch_size, config.lr_generators, config.weights.lambda_cycle_a
            (1, 0.0002, 10.0)
        """
        return cls(
            translator=translator,
            preset=Preset.PAPER if size >= 256 or translator != "cyclegan" else Preset.PAPER_6,
            size=size,
            steps=steps,
            batch_size=1,
            lr_generators=2e-4,
            lr_discriminators=2e-4,
            adam_beta1=0.5,
            weights=Weights(
                lambda_cycle_a=10.0,
                lambda_cycle_b=10.0,
                adversarial=Adversarial.LSGAN,
                covered_patches=False,
                lambda_moments=0.0,
                r1_gamma=0.0,
                cycle_noise=0.0,
            ),
            nce=NceConfig(lambda_nce=10.0 if translator == "fastcut" else 1.0, patches=256, embedding=256),
            pool_size=50 if translator == "cyclegan" else 0,
            augment=AugmentConfig(
                flip=0.5, angle_degrees=0.0, scale=0.0, shift=0.0, brightness=0.0, contrast=0.0, tint=0.0, invert=0.0, density=0.0
            ),
            encoding=Encoding(1.0),
            pose=pose,
            condition=condition,
        )

    def learning_rate_factor(self, step: int) -> float:
        """The factor on both learning rates at a step: 1, then linearly to 0.

        Example:
            >>> config = TrainConfig(steps=100, constant_share=0.5)
            >>> [config.learning_rate_factor(step) for step in (0, 50, 75, 100)]
            [1.0, 1.0, 0.5, 0.0]
        """
        flat = self.constant_share * self.steps
        return 1.0 if step <= flat else max(0.0, (self.steps - step) / (self.steps - flat))

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        value: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """From what ``as_json`` gave."""
        nested = {
            "preset": Preset(value["preset"]),
            "pose": Pose(value["pose"]),
            "weights": Weights(**{**value["weights"], "adversarial": Adversarial(value["weights"]["adversarial"])}),
            "nce": NceConfig(**value.get("nce", {})),
            "augment": AugmentConfig(**value["augment"]),
            "encoding": Encoding(**value["encoding"]),
            "validation": ValidationConfig(**value.get("validation", {})),
            "condition": Condition(value.get("condition", Condition.MASK_AND_CLASS)),
            "paper": PaperNetworks.from_json(value.get("paper", {})),
            "precision": Precision(value.get("precision", Precision.FP32)),
            "device": Device(value.get("device", Device.CPU)),
        }
        return cls(**{**value, **nested})
