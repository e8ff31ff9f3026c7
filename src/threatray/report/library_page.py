"""A signature library as one self-contained page to look through."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from threatray.tip.library import LibraryEntry
from threatray.tip.sheet import caption

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #222; background: #fff }
h2 { margin: 1.5rem 0 .5rem } .grid { display: flex; flex-wrap: wrap; gap: .6rem }
figure { margin: 0; width: 168px; border: 1px solid #ddd; border-radius: 4px; padding: 4px; overflow-wrap: anywhere }
figure img { display: block; width: 160px; height: 160px } figcaption { font-size: 12px } .soft { color: #666 }
</style></head><body>
<h1>{{ title }}</h1>
<p>{{ total }} signatures. White is what lets everything pass.</p>
{% for name, rows in classes %}
<h2>{{ name }} ({{ rows | length }})</h2>
<div class="grid">
{% for row in rows %}
<figure><img alt="{{ row.lines[0] }}" src="data:image/png;base64,{{ row.picture }}">
<figcaption>{{ row.lines[1] }}<br>{{ row.lines[0] }}<br>
<span class="soft">{{ row.lines[2] }}<br>{{ row.source }}<br>{{ row.licence }}</span></figcaption>
</figure>
{% endfor %}
</div>
{% endfor %}
</body></html>
"""


def library_page(title: str, entries: Sequence[LibraryEntry], thumbnails: Sequence[NDArray[np.uint8]]) -> str:
    """The page as HTML text: by class, pictures inside, nothing fetched.

    Args:
        title: What the library is called.
        entries: Of the index.
        thumbnails: (H, W, 3) RGB of each.
    """
    import cv2
    from jinja2 import Environment, StrictUndefined

    rows: dict[str, list[dict[str, object]]] = {}
    for entry, picture in zip(entries, thumbnails, strict=True):
        _, encoded = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
        origin = entry.origin
        rows.setdefault(entry.class_name, []).append(
            {
                "lines": caption(entry),
                "picture": base64.b64encode(encoded.tobytes()).decode(),
                "source": f"from {origin.source_id} ({origin.provenance.source})",
                "licence": f"licence {origin.provenance.licence}",
            }
        )
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_PAGE).render(title=title, total=len(entries), classes=sorted(rows.items()))
