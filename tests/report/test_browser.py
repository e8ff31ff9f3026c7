"""The page in a real browser: at two widths, light and dark, and on paper. Skipped where no Chromium is installed."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from threatray.report.write import write_report

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")]
WIDTHS = (1280, 400)

_PROBE = """<!doctype html><meta charset="utf-8"><body>%s<pre id="found"></pre><script>
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map((frame) => {
    const page = frame.contentDocument, view = frame.contentWindow, root = page.documentElement;
    const clipped = (one) => one && (view.getComputedStyle(one).overflowX !== "visible" || clipped(one.parentElement));
    const resolves = (one) => one.startsWith("#") && page.getElementById(one.slice(1));
    const outside = [...page.querySelectorAll("main *")].filter((one) => one.getClientRects().length && !clipped(one.parentElement)
      && one.getBoundingClientRect().right > root.clientWidth + 1 && !one.closest("svg"));
    return {
      width: root.clientWidth,
      scroll: root.scrollWidth,
      outside: outside.slice(0, 5).map((one) => one.outerHTML.slice(0, 120)),
      pictures: page.images.length,
      missing: [...page.images].filter((one) => !one.complete || !one.naturalWidth).map((one) => one.alt),
      links: [...page.querySelectorAll("a[href]")].map((one) => one.getAttribute("href")).filter((one) => !resolves(one)),
      paper: view.getComputedStyle(page.body).backgroundColor,
    };
  });
  document.getElementById("found").textContent = "BEGIN" + JSON.stringify(found) + "END";
});
</script></body>"""


def browse(page: str, folder: Path, *, dark: bool, widths: tuple[int, ...] = WIDTHS) -> list[dict[str, object]]:
    frames = "".join(
        f'<iframe style="border:0;width:{width}px;height:900px" srcdoc="{html.escape(page, quote=True)}"></iframe>' for width in widths
    )
    (folder / "probe.html").write_text(_PROBE % frames, encoding="utf-8")
    theme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    said = _chromium(folder, theme, "--window-size=1400,900", "--virtual-time-budget=20000", "--dump-dom", f"file://{folder}/probe.html")
    found = re.search(r"BEGIN(\[.*\])END", said)
    assert found, said[-500:]
    return json.loads(html.unescape(found[1]))  # type: ignore[no-any-return]


def _chromium(folder: Path, *options: str) -> str:
    quiet = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
    )
    command = [str(CHROMIUM), *quiet, f"--user-data-dir={folder}/profile", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=240).stdout


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_overflows_is_missing_or_leads_nowhere(run_folder: Path, tmp_path: Path, dark: bool) -> None:
    write_report(run_folder, tmp_path / "index.html")
    for expected, found in zip(WIDTHS, browse((tmp_path / "index.html").read_text(encoding="utf-8"), tmp_path, dark=dark), strict=True):
        assert expected - 16 <= int(str(found["width"])) <= expected  # less a scroll bar
        assert found["scroll"] == found["width"], found
        assert found["outside"] == []
        assert found["missing"] == []
        assert found["links"] == []
        assert int(str(found["pictures"])) > 20
        shade = sum(int(part) for part in re.findall(r"\d+", str(found["paper"]))[:3])
        assert (shade < 200) is dark


def test_what_is_too_wide_is_noticed(run_folder: Path, tmp_path: Path) -> None:
    write_report(run_folder, tmp_path / "index.html")
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    wide = page.replace("</header>", '</header><div style="width:600px">too wide</div><img alt="gone" src="data:image/png;base64,AAAA">'
                        '<a href="#nowhere">x</a>', 1)  # fmt: skip
    at_1280, at_400 = browse(wide, tmp_path, dark=False)
    assert at_400["outside"]
    assert not at_1280["outside"]
    assert at_400["missing"] == ["gone"]
    assert at_400["links"] == ["#nowhere"]


def test_on_paper_nothing_is_cut_off(run_folder: Path, tmp_path: Path) -> None:
    write_report(run_folder, tmp_path / "index.html")
    printed = (tmp_path / "index.html").read_text(encoding="utf-8").replace("@media print", "@media all")
    (found,) = browse(printed, tmp_path, dark=False, widths=(703,))  # A4 less its margins
    assert found["outside"] == []
    assert found["scroll"] == found["width"]


def test_prints_to_pages(run_folder: Path, tmp_path: Path) -> None:
    write_report(run_folder, tmp_path / "index.html")
    _chromium(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={tmp_path}/page.pdf", f"file://{tmp_path}/index.html")
    pages = re.findall(rb"/MediaBox ?\[", (tmp_path / "page.pdf").read_bytes())
    assert 3 < len(pages) < 60
