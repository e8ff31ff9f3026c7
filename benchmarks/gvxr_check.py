"""The phantom's scanner against an independent simulator (gVirtualXray) on the same meshes.

    pip install gvxr    (imports only with libxcb-res0 libxcb-ewmh2 libxcb-composite0 libxcb-xinerama0 libxcb-keysyms1 libxcb-icccm4)
    python benchmarks/gvxr_check.py [--seed 1] [--json out.json]

Both get the phantom's triangles and the energies' weights. Nothing else is shared: gVirtualXray has its own projector (on OpenGL)
and its own attenuation coefficients (xraylib's; ours are Elam's through xraydb, and the two agree to five digits, so that
coefficients are judged against NIST's tables in tests/physics/test_materials.py instead).

Compared is A = -ln T, pixel by pixel, where A > 0.05 and away from silhouettes, at which one pixel more or less is on the object;
and its sum over the whole picture. One energy at a time, and both channels of the sandwich detector at 160 kVp.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from threatray.phantom.objects import make
from threatray.phantom.parts import SolidObject
from threatray.phantom.pose import Pose
from threatray.phantom.raster import Frame, path_lengths
from threatray.physics.dual_energy import DualEnergyScanner
from threatray.physics.materials import MATERIALS, mass_fractions
from threatray.physics.spectrum import tube_spectrum
from threatray.physics.transmission import transmission

LEAST_ATTENUATION = 0.05


@dataclass(frozen=True)
class Agreement:
    """How far two simulators' attenuations are apart, relative to the independent one's.

    Args:
        what: Object and beam.
        pixels: How many were compared.
        median: Median of \\|A - A_gvxr\\| / A_gvxr.
        p95: Its 95th percentile.
        bias: Median of (A - A_gvxr) / A_gvxr, signed.
        total: Relative difference of the sums of A over the whole picture, silhouettes included.
    """

    what: str
    pixels: int
    median: float
    p95: float
    bias: float
    total: float


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """The simulator prints to the process's own stdout, past Python."""
    sys.stdout.flush()
    kept, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(null)


def thickness_maps(thing: SolidObject, pose: Pose, frame: Frame) -> dict[str, np.ndarray]:
    """Our own projection: path lengths in cm by material."""
    names = sorted({piece.material for piece in thing.pieces})
    layers = np.array([names.index(piece.material) for piece in thing.pieces])[thing.piece_of_face]
    return dict(zip(names, path_lengths(pose.place(thing.mesh.vertices), thing.mesh.faces, layers, len(names), frame), strict=True))


class Simulator:
    """gVirtualXray with one object in a parallel beam along z, seen through the same pixels as ours."""

    def __init__(self, thing: SolidObject, pose: Pose, frame: Frame) -> None:
        from gvxrPython3 import gvxr

        self.gvxr, self.frame = gvxr, frame
        with silence():
            if not _opened:
                gvxr.createOpenGLContext()
                _opened.append(True)
            gvxr.removePolygonMeshesFromXRayRenderer()
            gvxr.removePolygonMeshesFromSceneGraph()
            gvxr.useParallelBeam()
            gvxr.setSourcePosition(0.0, 0.0, 500.0, "cm")
            gvxr.setDetectorPosition(0.0, 0.0, -50.0, "cm")
            gvxr.setDetectorUpVector(0, 1, 0)
            gvxr.setDetectorNumberOfPixels(frame.size[1], frame.size[0])
            gvxr.setDetectorPixelSize(frame.pitch_cm, frame.pitch_cm, "cm")
            placed = pose.place(thing.mesh.vertices)
            for number, piece in enumerate(thing.pieces):
                name = f"piece{number}"
                start = sum(len(other.mesh.vertices) for other in thing.pieces[:number])
                self._load(name, placed[start : start + len(piece.mesh.vertices)], piece.mesh.faces)
                material = MATERIALS[piece.material]
                shares = mass_fractions(material)
                numbers = [gvxr_atomic_number(element) for element in shares]
                gvxr.setMixture(name, numbers, [float(share) for share in shares.values()])
                gvxr.setDensity(name, material.density_g_cm3, "g/cm3")

    def _load(self, name: str, vertices: np.ndarray, faces: np.ndarray) -> None:
        """A closed surface by way of a file: what is loaded is in the scene at once, adding it too would count it twice."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.stl"
            path.write_bytes(binary_stl(vertices[faces]))
            self.gvxr.loadMeshFile(name, str(path), "cm")

    def attenuation(self, energies_kev: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """-ln T of a beam whose energies carry these shares of the signal."""
        with silence():
            self.gvxr.resetBeamSpectrum()
            for energy, weight in zip(energies_kev, weights, strict=True):
                if weight > 0:  # the simulator's detector integrates energy: photons are the signal's share over their energy
                    self.gvxr.addEnergyBinToSpectrumPerPixelAtSDD(float(energy), "keV", float(weight / energy * 1e6))
            image = np.array(self.gvxr.computeXRayImage(), np.float64)
            white = float(self.gvxr.getTotalEnergyWithDetectorResponse())
        return np.asarray(-np.log(np.maximum(image[::-1] / white, 1e-9)))  # its first row is the lowest


_opened: list[bool] = []


def binary_stl(triangles: np.ndarray) -> bytes:
    """(F, 3, 3) corners as an STL file."""
    rows = np.zeros(len(triangles), np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("unused", "<u2")]))
    rows["corners"] = triangles
    rows["normal"] = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    return bytes(80) + len(triangles).to_bytes(4, "little") + rows.tobytes()


def gvxr_atomic_number(element: str) -> int:
    """Z of an element's symbol."""
    from xraydb import atomic_number

    return int(atomic_number(element))


def inner(mask: np.ndarray) -> np.ndarray:
    """A mask without its rim of one pixel."""
    from scipy.ndimage import binary_erosion

    return np.asarray(binary_erosion(mask))


def edges(maps: dict[str, np.ndarray]) -> np.ndarray:
    """Pixels beside an edge of some material: there the two rasterisers may choose differently."""
    from scipy.ndimage import binary_dilation, maximum_filter, minimum_filter

    near = np.zeros(next(iter(maps.values())).shape, bool)
    for length in maps.values():
        step = maximum_filter(length, 3) - minimum_filter(length, 3)
        near |= step > 0.1 * np.maximum(length, 0.1)
    return np.asarray(binary_dilation(near))


def compare(
    family: str, seed: int, *, pitch_cm: float = 0.05, energies_kev: tuple[float, ...] = (40.0, 60.0, 80.0, 120.0)
) -> list[Agreement]:
    """One individual of a family, at single energies and in both channels of the sandwich detector."""
    thing, pose = make(family, np.random.default_rng(seed)), Pose(turn=0.4, tilt=0.15, roll=0.1)
    extent = np.abs(pose.place(thing.mesh.vertices)[:, :2]).max(axis=0) * 2 + 1.0
    frame = Frame.centred((int(extent[1] / pitch_cm), int(extent[0] / pitch_cm)), pitch_cm)
    maps, simulator = thickness_maps(thing, pose, frame), Simulator(thing, pose, frame)
    scanner = DualEnergyScanner()
    spectrum = tube_spectrum(scanner.tube_kv)
    low, high = scanner.detector.weights(spectrum)
    beams = [(f"{energy:g} keV", np.array([energy]), np.ones(1)) for energy in energies_kev]
    beams += [("160 kVp, low-energy channel", spectrum.energies_kev, low), ("160 kVp, high-energy channel", spectrum.energies_kev, high)]
    smooth = ~edges(maps)
    found = []
    for name, energies, weights in beams:
        ours = -np.log(transmission(maps, weights[None], energies)[0].astype(np.float64))
        theirs = simulator.attenuation(energies, weights)
        compared = smooth & (theirs > LEAST_ATTENUATION) & (theirs < 8) & (ours < 8)
        difference = (ours - theirs)[compared] / theirs[compared]
        seen = (theirs < 8) & (ours < 8)
        found.append(
            Agreement(
                f"{family} {seed}, {name}",
                int(compared.sum()),
                float(np.median(np.abs(difference))),
                float(np.quantile(np.abs(difference), 0.95)),
                float(np.median(difference)),
                float(ours[seen].sum() / theirs[seen].sum() - 1),
            )
        )
    return found


def main() -> int:
    """Print the table; 1 if a beam's median is off by more than 1 %."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--families", nargs="*", default=["gun", "knife", "bottle"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [row for family in options.families for row in compare(family, options.seed)]
    print(f"{'object and beam':42s} {'pixels':>7s} {'median':>9s} {'95 %':>9s} {'bias':>9s} {'total':>9s}")
    for row in rows:
        print(f"{row.what:42s} {row.pixels:7d} {row.median:9.4%} {row.p95:9.4%} {row.bias:+9.4%} {row.total:+9.4%}")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return int(any(row.median > 0.01 for row in rows))


if __name__ == "__main__":
    sys.exit(main())
