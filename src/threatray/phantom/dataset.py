"""The phantom's data sets: every scan and photo by itself from a small job, in any order, in any process."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import BoolArray, Origin, OriginKind, Provenance, Sample, Signature, XrayImage, derive, stream
from threatray.errors import ConfigError
from threatray.phantom.bags import object_thickness, pack_bag
from threatray.phantom.camera import draw_camera, outline_contrast, photograph
from threatray.phantom.objects import THREATS, make
from threatray.phantom.parts import SolidObject
from threatray.phantom.pose import Pose, draw_pose
from threatray.phantom.raster import Frame
from threatray.phantom.scanner import PhantomScanner

PROVENANCE: Final = Provenance("threatray phantom", "CC0-1.0")
_LONG_TAIL: Final = MappingProxyType({"gun": 80, "knife": 48, "scissors": 24, "wrench": 14, "pliers": 8, "hammer": 4})
_LARGEST_THREAT_CM: Final = 36.0
_CARELESS_SHARE: Final = 0.1
_ATTEMPTS: Final = 8
_LEAST_OUTLINE_CONTRAST: Final = 0.85


class JobKind(StrEnum):
    """What a job makes, and for whom."""

    LABELLED = "labelled"
    BENIGN = "benign"
    VALIDATION = "validation"
    TEST = "test"
    PHOTO = "photo"


@dataclass(frozen=True)
class PhantomConfig:
    """How much of what.

    Args:
        image_height: Rows of a scan.
        image_width: Columns.
        pitch_cm: Distance of neighbouring pixels on the belt.
        labelled: Threat class -> training scans with one such threat; a long tail by default.
        benign: Training scans without a threat.
        validation_threat_per_class: Validation scans of each class in ``labelled``.
        validation_benign: Validation scans without a threat.
        test_threat_per_class: Test scans of each class.
        test_benign: Test scans without a threat.
        photos_per_class: Photos of each class.
        photo_size: Rows and columns of a photo.

    Raises:
        ConfigError: A count is negative or not whole, a class is unknown, or the picture is too small for a threat.

    Example:
        >>> PhantomConfig().labelled["gun"]
        80
    """

    image_height: int = 300
    image_width: int = 400
    pitch_cm: float = 0.13
    labelled: dict[str, int] = field(default_factory=lambda: dict(_LONG_TAIL))
    benign: int = 200
    validation_threat_per_class: int = 6
    validation_benign: int = 40
    test_threat_per_class: int = 14
    test_benign: int = 100
    photos_per_class: int = 60
    photo_size: int = 144

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("labelled", "pitch_cm")}
        counts |= {f"labelled[{name!r}]": count for name, count in self.labelled.items()}
        for name, count in counts.items():
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise ConfigError(f"phantom: {name} must be a whole number of at least 0, got {count!r}.")
        if not self.labelled:
            raise ConfigError("phantom: labelled names no class. Give at least one, e.g. {'gun': 80}.")
        for name in self.labelled:
            if name not in THREATS:
                raise ConfigError(f"phantom: there is no threat class {name!r}. Known: {', '.join(THREATS)}.")
        if not (math.isfinite(self.pitch_cm) and self.pitch_cm > 0):
            raise ConfigError(f"phantom: pitch_cm must be a positive number, got {self.pitch_cm}.")
        across = min(self.image_width, self.image_height / 0.72) * self.pitch_cm
        if across < _LARGEST_THREAT_CM * 1.3:
            raise ConfigError(
                f"phantom: {self.image_height}x{self.image_width} pixels of {self.pitch_cm} cm show {across:.0f} cm, but a bag with a "
                f"hammer in it needs {_LARGEST_THREAT_CM * 1.3:.0f} cm. Make pitch_cm or the picture larger."
            )
        if self.photo_size < 32:
            raise ConfigError(f"phantom: photo_size must be at least 32 pixels, got {self.photo_size}.")
        object.__setattr__(self, "labelled", dict(self.labelled))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of a scan."""
        return self.image_height, self.image_width


@dataclass(frozen=True)
class Job:
    """One scan or photo to make.

    Args:
        kind: What, and for whom.
        id: Unique; safe as a file name.
        class_name: The threat class, or None for a bag without a threat.
        individual: Which object it is (or bag, where there is no threat); no individual occurs in two kinds.
        seed: Of everything about this item but the individual's shape.
    """

    kind: JobKind
    id: str
    class_name: str | None
    individual: str
    seed: int


@dataclass(frozen=True, eq=False)
class PhantomScan:
    """A bag's scan: the dual-energy sample and its picture on the screen."""

    sample: Sample
    colour: XrayImage


@dataclass(frozen=True, eq=False)
class PhantomPhoto:
    """A photo of a threat, with the true X-ray of the same object in the same pose and pixels.

    Args:
        id: As the job's.
        class_name: The threat class.
        individual: Which object.
        pixels: (H, W, 3) RGB uint8.
        mask: (H, W) where the photo shows the object.
        truth: Its noise-free dual-energy signature.
    """

    id: str
    class_name: str
    individual: str
    pixels: NDArray[np.uint8]
    mask: BoolArray
    truth: Signature


def plan(config: PhantomConfig, seed: int) -> tuple[Job, ...]:
    """Every item of the phantom, in a fixed order.

    Args:
        config: How much of what.
        seed: The run's seed.

    Returns:
        Jobs with unique ids. Each threat individual occurs once, so none is shared by training, validation, test or photos.

    Example:
        >>> jobs = plan(PhantomConfig(labelled={"gun": 1}, benign=1, photos_per_class=1, test_benign=0, validation_benign=0,
        ...             test_threat_per_class=0, validation_threat_per_class=0), seed=1)
        >>> [job.id for job in jobs]
        ['gun-0000', 'benign-0000', 'photo-gun-0000']
    """
    jobs: list[Job] = []

    def add(kind: JobKind, prefix: str, class_name: str | None, count: int) -> None:
        for number in range(count):
            name = f"{prefix}{class_name or 'benign'}-{number:04d}"
            jobs.append(Job(kind, name, class_name, name, derive(seed, "phantom", name)))

    for name, count in config.labelled.items():
        add(JobKind.LABELLED, "", name, count)
    add(JobKind.BENIGN, "", None, config.benign)
    for kind, per_class, benign in (
        (JobKind.VALIDATION, config.validation_threat_per_class, config.validation_benign),
        (JobKind.TEST, config.test_threat_per_class, config.test_benign),
    ):
        for name in config.labelled:
            add(kind, f"{kind.value}-", name, per_class)
        add(kind, f"{kind.value}-", None, benign)
    for name in config.labelled:
        add(JobKind.PHOTO, "photo-", name, config.photos_per_class)
    return tuple(jobs)


def render_scan(job: Job, config: PhantomConfig) -> PhantomScan:
    """Pack and scan one bag; the same job always gives the same bytes.

    Raises:
        ConfigError: The job is a photo.
    """
    if job.kind is JobKind.PHOTO:
        raise ConfigError(f"job {job.id} is a photo: use render_photo.")
    threat = make(job.class_name, stream(job.seed, "individual")) if job.class_name else None
    shelf = "test" if job.kind is JobKind.TEST else "validation" if job.kind is JobKind.VALIDATION else "train"
    bag = pack_bag(config.size, config.pitch_cm, stream(job.seed, "bag"), threat=threat, shelf=shelf)
    scanner = _scanner()
    dual = scanner.scan(bag.thickness_cm, scanner.draw(config.size, stream(job.seed, "scan")))
    return PhantomScan(Sample(job.id, dual, bag.annotations, job.individual, PROVENANCE), scanner.colour(dual))


def render_photo(job: Job, config: PhantomConfig) -> PhantomPhoto:
    """Photograph one threat, and render its true signature; the same job always gives the same bytes.

    Raises:
        ConfigError: The job is not a photo.
    """
    if job.kind is not JobKind.PHOTO or job.class_name is None:
        raise ConfigError(f"job {job.id} is no photo: use render_scan.")
    thing = make(job.class_name, stream(job.seed, "individual"))
    rng = stream(job.seed, "photo")
    pose = draw_pose(rng, tilt_sigma=0.1)
    points = pose.place(thing.mesh.vertices)
    low, high = points.min(axis=0), points.max(axis=0)
    span = float(max(high[:2] - low[:2]))
    pitch = span / (config.photo_size * rng.uniform(0.72, 0.92))
    middle = (low + high)[:2] / 2 + rng.uniform(-0.02, 0.02, 2) * span
    half = config.photo_size * pitch / 2
    frame = Frame((config.photo_size, config.photo_size), pitch, (float(middle[0] - half), float(middle[1] + half)))
    pixels, mask = _legible_photo(thing, pose, frame, job.seed)
    thickness, covered = object_thickness(thing, pose, frame)
    origin = Origin(OriginKind.RENDERED, job.id, job.individual, provenance=PROVENANCE)
    truth = Signature(job.id, _only(_scanner().ideal(thickness), covered), covered, job.class_name, origin)
    return PhantomPhoto(job.id, job.class_name, job.individual, pixels, mask, truth)


def _legible_photo(thing: SolidObject, pose: Pose, frame: Frame, seed: int) -> tuple[NDArray[np.uint8], BoolArray]:
    """As people take photos: if the ground hides the outline, they try another one; now and then they do not care."""
    careless = stream(seed, "care").random() < _CARELESS_SHARE
    for attempt in range(_ATTEMPTS):
        pixels, mask = photograph(thing, pose, frame, draw_camera(stream(seed, "camera", attempt)))
        if careless or outline_contrast(pixels, mask) >= _LEAST_OUTLINE_CONTRAST:
            break
    return pixels, mask


def _only(image: XrayImage, mask: BoolArray) -> XrayImage:
    values: NDArray[Any] = np.where(mask, image.values, np.float32(1.0))
    return XrayImage(values.astype(np.float32), image.quantity, image.channels)


@lru_cache(maxsize=1)
def _scanner() -> PhantomScanner:
    return PhantomScanner()
