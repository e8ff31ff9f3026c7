"""Make src/threatray/physics/data/tungsten_spectra.csv with spekpy (needed only here: pip install spekpy)."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import spekpy

TUBE_KVS = (120, 140, 160)
ANODE_DEGREES = 12
FILTRATION_MM = (("Al", 3.0),)  # oil, glass and window of the tube head, as aluminium
BIN_KEV, FINE_KEV, FIRST_KEV = 2.5, 0.5, 15.0
TARGET = Path(__file__).parents[1] / "src" / "threatray" / "physics" / "data" / "tungsten_spectra.csv"


def binned(tube_kv: int, edges: np.ndarray) -> np.ndarray:
    """Photons per bin, summed from a fine spectrum so that the characteristic lines keep their photons."""
    tube = spekpy.Spek(kvp=tube_kv, th=ANODE_DEGREES, dk=FINE_KEV)
    for element, thickness in FILTRATION_MM:
        tube.filter(element, thickness)
    energies, per_kev = tube.get_spectrum(flu=True, diff=True)
    counts, _ = np.histogram(energies, edges, weights=per_kev * FINE_KEV)
    return counts / counts.sum()


def main() -> None:
    edges = np.arange(FIRST_KEV, max(TUBE_KVS) + BIN_KEV, BIN_KEV)
    columns = [binned(kv, edges) for kv in TUBE_KVS]
    filters = ", ".join(f"{mm:g} mm {element}" for element, mm in FILTRATION_MM)
    lines = [
        f"# Tungsten anode {ANODE_DEGREES} degrees, {filters}; share of the photons in each {BIN_KEV:g} keV bin.",
        f"# Made by tools/make_spectrum_table.py with spekpy {spekpy.__version__} (MIT).",
        "energy_kev," + ",".join(f"kv{kv}" for kv in TUBE_KVS),
    ]
    for row, (low, high) in enumerate(itertools.pairwise(edges)):
        lines.append(f"{(low + high) / 2:g}," + ",".join(f"{column[row]:.6g}" for column in columns))
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{TARGET}: {len(lines) - 3} bins, {len(TUBE_KVS)} tube voltages")


if __name__ == "__main__":
    main()
