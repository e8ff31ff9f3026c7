"""Object crops of a run, and the true X-ray of each where it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from threatray.core.image import XrayImage
from threatray.report.folder import RunFolder
from threatray.report.pictures import Rgb
from threatray.tip.library import SignatureLibrary

_TRUTHS: Final = ("score/truth", "phantom/truth")


@dataclass(frozen=True)
class Crops:
    """Object crops by id."""

    folder: RunFolder
    entries: Mapping[str, Mapping[str, Any]]
    truths: SignatureLibrary
    """Those that ``score`` compared with; of a run that was not scored, the phantom's."""

    @classmethod
    def read(cls, folder: RunFolder) -> Crops:
        """The crops of a run; none where there was no intake."""
        truths = next((found for name in _TRUTHS if len(found := folder.library(name))), SignatureLibrary(folder.path, ()))
        return cls(folder, {str(entry.get("id")): entry for entry in folder.records("photos/index.json", "crops")}, truths)

    def pixels(self, crop: str) -> Rgb | None:
        """The crop's photo, or None."""
        entry = self.entries.get(crop)
        if entry is None:
            return None
        file = str(entry.get("file") or f"{entry.get('class_name')}/{crop}.png")
        return self.folder.pixels(f"photos/{file}")

    def truth(self, crop: str) -> XrayImage | None:
        """The true X-ray of the crop's object: by the crop's id, or by the id of the photo it was cut from."""
        source = str((self.entries.get(crop) or {}).get("source_id", ""))
        known = set(self.truths.ids())
        name = next((name for name in (crop, source, PurePosixPath(source).stem) if name in known), None)
        return None if name is None else self.truths.load(name).image
