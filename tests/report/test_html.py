from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from threatray.core.files import read_json, write_json
from threatray.report.data import build
from threatray.report.html import render
from threatray.report.write import write_report

SECTIONS = ["answer", "picture", "inputs", "balance", "strips", "gate", "composites", "fidelity", "uplift", "training", "repeat", "limits"]
EVIL = "<script>alert(1)</script>"


class Page(HTMLParser):
    """What a browser would find: ids, addresses, pictures, cells with the number behind them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.cells: list[tuple[str, str]] = []
        self.scripts = 0
        self.unlabelled = 0
        self._open: str | None = None
        self._text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.ids += [known["id"]] if known.get("id") else []
        self.addresses += [str(known[key]) for key in ("src", "href", "action", "srcset", "poster", "data") if key in known]
        self.scripts += tag == "script"
        self.unlabelled += known.get("role") == "img" and not known.get("aria-label")
        if tag == "img":
            self.pictures.append(known)
        if tag in ("td", "span") and "data-value" in known:
            self._open, self._text = str(known["data-value"]), ""
        elif tag == "small" and self._open is not None:
            self.cells.append((self._open, self._text))
            self._open = None

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if self._open is not None and tag in ("td", "span"):
            self.cells.append((self._open, self._text))
            self._open = None


def test_every_anchor_resolves_and_no_id_is_used_twice(page: str) -> None:
    found = Page(page)
    anchors = {address[1:] for address in found.addresses if address.startswith("#")}
    assert set(SECTIONS) <= anchors <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))


def test_the_page_fetches_nothing(page: str) -> None:
    assert [address[:40] for address in Page(page).addresses if not address.startswith(("#", "data:"))] == []
    assert re.findall(r"@import|url\((?!#)|https?://", page) == []
    assert "default-src 'none'" in page


def test_the_browser_runs_our_script_only(page: str) -> None:
    assert Page(page).scripts == 1
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]{44}'", page)


def test_every_picture_says_what_it_shows_and_is_whole(page: str) -> None:
    found = Page(page)
    assert len(found.pictures) > 30
    assert all(str(one["alt"]).strip() and str(one["src"]).startswith("data:image/jpeg;base64,/9j/") for one in found.pictures)
    assert found.unlabelled == 0


def test_a_script_in_a_name_stays_text(own_run: Path) -> None:
    index = read_json(own_run / "photos" / "index.json")
    index["rejected"].append({"item": EVIL, "reason": EVIL})
    index["crops"][0]["provenance"]["source"] = EVIL
    write_json(own_run / "photos" / "index.json", index)
    coco = read_json(own_run / "compose" / "annotations.json")
    coco["categories"][0]["name"] = EVIL
    write_json(own_run / "compose" / "annotations.json", coco)
    plan = read_json(own_run / "plan" / "plan.json")
    plan["before"][EVIL] = plan["after"][EVIL] = 3
    write_json(own_run / "plan" / "plan.json", plan)
    uplift = read_json(own_run / "uplift" / "uplift.json")
    for one in [*uplift["figures"], *uplift["differences"]]:
        one["arm"] = one["arm"].replace("opaque_paste", EVIL)
    uplift["notes"].append(f'"><img src=x onerror=alert(1)>{EVIL}')
    write_json(own_run / "uplift" / "uplift.json", uplift)
    (own_run / "project.toml").write_text(f"# </pre>{EVIL}")
    text = render(build(own_run))
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    assert Page(text).scripts == 1
    assert all(one["src"] != "x" for one in Page(text).pictures)


def test_the_same_run_gives_the_same_bytes_in_any_folder(own_run: Path, page: str) -> None:
    assert render(build(own_run)) == page


@pytest.mark.parametrize(
    "stage", ["phantom", "inspect", "photos", "signatures", "train", "translate", "plan", "compose", "score", "uplift"]
)
def test_each_stage_alone_makes_a_page_that_says_what_was_not_run(stage: str, run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / stage).symlink_to(run_folder / stage)
    text = render(build(tmp_path / "run"))
    assert [one for one in SECTIONS if f'<section id="{one}"' in text] == SECTIONS
    assert text.count("Not run: the folder holds no result of") >= 6


def test_a_whole_run_has_no_section_missing(page: str) -> None:
    assert "Not run" not in page
    assert "(not run)" not in page.split("</style>")[1]


def test_every_uplift_figure_on_the_page_is_the_files_own(run_folder: Path, page: str) -> None:
    found = read_json(run_folder / "uplift" / "uplift.json")
    shown = Page(page).cells
    for one in found["figures"]:
        assert (repr(one["mean"]), f"{100 * one['mean']:.1f} %") in shown
    for one in found["differences"]:
        assert repr(one["value"]) in {value for value, _ in shown}


def test_every_score_on_the_page_is_the_files_own(run_folder: Path, page: str) -> None:
    shown = dict(Page(page).cells)
    for one in read_json(run_folder / "score" / "score.json")["scores"]:
        assert float(shown[repr(one["value"])]) == pytest.approx(one["value"], rel=5e-3)


def test_every_count_of_the_plan_is_on_the_page(run_folder: Path, page: str) -> None:
    plan, shown = read_json(run_folder / "plan" / "plan.json"), Page(page).cells
    for count in [*plan["before"].values(), *plan["after"].values(), *plan["added"].values()]:
        assert (repr(float(count)), f"{count:,}") in shown
    assert (repr(plan["divergence_bits"]), "0.211") in shown


def test_text_and_exact_number_of_every_cell_agree(page: str) -> None:
    for exact, text in Page(page).cells:
        number = float(text.replace("−", "-").replace(",", "").removesuffix(" %"))
        scales = (100.0,) if text.endswith("%") else (1.0, 100.0)
        assert any(number == pytest.approx(scale * float(exact), rel=6e-3, abs=0.051) for scale in scales), (exact, text)


def test_boxes_are_drawn_where_the_annotations_say(run_folder: Path, page: str) -> None:
    coco = read_json(run_folder / "compose" / "annotations.json")
    image, box = coco["images"][0], coco["annotations"][0]["bbox"]
    shares = [100 * number / side for number, side in zip(box, (image["width"], image["height"]) * 2, strict=True)]
    assert "left:{:.3f}%;top:{:.3f}%;width:{:.3f}%;height:{:.3f}%".format(*shares) in page


def test_a_report_is_rebuilt_without_torch(run_folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from threatray.report.write import write_report; "
        "write_report(Path(sys.argv[1]), Path(sys.argv[2])); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(run_folder), str(tmp_path / "r.html")], check=True)
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_write_report_leaves_only_the_page(run_folder: Path, tmp_path: Path, page: str) -> None:
    write_report(run_folder, tmp_path / "out" / "report.html")
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["report.html"]
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8") == page
