"""The augmented dataset's card in the Hugging Face form: YAML head, then what a user of the data must know. From the run's files alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from threatray.report.data import ReportData
from threatray.report.folder import RunFolder
from threatray.report.tables import listed

CARD_FILE: Final = "dataset_card.md"
_SIZES: Final = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def dataset_card(folder: RunFolder, data: ReportData) -> str | None:
    """The card of the composites in ``compose/``, or None where none were made. Equal files give equal text.

    Args:
        folder: The run.
        data: What the report says of it.
    """
    coco = folder.record("compose/annotations.json")
    if coco is None:
        return None
    images, things = _records(coco, "images"), _records(coco, "annotations")
    names = {one.get("id"): str(one.get("name")) for one in _records(coco, "categories")}
    counts = Counter(names.get(one.get("category_id"), "unknown") for one in things)
    licences = sorted({str(one.get("licence") or "unknown") for one in images})
    sources = sorted({str(one.get("source") or "unknown") for one in images})
    terms = listed([_cell(one) for one in sources]), listed([_cell(one) for one in licences])
    head = {
        "pretty_name": "Benign X-ray bags with projected threats",
        "license": licences[0].lower() if len(licences) == 1 and licences[0] != "unknown" else "other",
        "task_categories": ["object-detection"],
        "tags": ["x-ray", "security-screening", "synthetic", "threat-image-projection"],
        "annotations_creators": ["machine-generated"],
        "size_categories": [next((name for most, name in _SIZES if len(images) < most), "n>1M")],
        "class_names": list(names.values()),
    }
    # JSON is YAML, and quotes whatever a file may have put into a name.
    yaml = "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in head.items())
    rows = "".join(f"| {_cell(name)} | {number:,} |\n" for name, number in sorted(counts.items()))
    manifest = folder.manifest("compose")
    seed = f", seed {manifest.seed}" if manifest else ""
    before, after = (data.balance.before, data.balance.after) if data.balance else ({}, {})
    balance = (
        f"The training scans hold {sum(before.values()):,} real threats; with these composites there are {sum(after.values()):,}.\n"
        if after
        else ""
    )
    effect = " ".join(part for part in (data.headline.sentence, data.headline.detail) if part)
    limits = "".join(f"- {limit}\n" for limit in data.limits)
    return f"""---
{yaml}---

# Benign X-ray bags with projected threats

{len(images):,} composites: benign bags into which {len(things):,} threat signatures were projected by multiplying transmissions
(threat image projection), written by threatray{seed}. Every threat is of our making; no bag held one.

| class | threats |
|---|---|
{rows}
{balance}
Boxes are [x, y, width, height] in pixels (COCO, `annotations.json`); `composites.jsonl` says of each composite its bag, its
signatures and everything drawn, so that it can be made again to the byte.

## Sources and licences

Bags from {terms[0]}; licences: {terms[1]}. Composites inherit the licence of their bag, and of the photo
or scan their signature came from.

## Does it help?

{effect}

## What it is not

{limits}
## How to make it again

```sh
{data.repeat.commands}
```
"""


def _records(coco: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = coco.get(key)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _cell(text: str) -> str:
    """Text that cannot end a table cell, a line, or begin markup."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
