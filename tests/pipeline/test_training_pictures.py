"""The tool that draws the training page's pictures refuses before it overwrites any."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tool(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("training_pictures", ROOT / "tools" / "training_pictures.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    monkeypatch.setattr(made, "OUT", tmp_path / "docs")
    return made


def test_what_is_missing_is_said_first(tool, tmp_path, monkeypatch, capsys):
    demo = tmp_path / "demo"
    monkeypatch.setattr(sys, "argv", ["training_pictures.py", str(demo)])
    steps = [
        (None, None, r"photos/index.json: missing. DEMO is a folder of `threatray demo`"),
        ("photos/index.json", "{}", r"signatures/index.json: missing"),
        ("signatures/index.json", "{}", r"train/checkpoint.pt: missing. Give a finished training"),
        ("train/checkpoint.pt", "", r"train/train.json: missing"),
        ("train/train.json", json.dumps({"steps": 3}), r"was not examined while it trained"),
        ("train/train.json", json.dumps({"validation": {"best_step": 3}}), r"Train with --validation.every 100"),
    ]
    for name, text, said in steps:
        if name is not None:
            (demo / name).parent.mkdir(parents=True, exist_ok=True)
            (demo / name).write_text(text)
        with pytest.raises(SystemExit):
            tool.main()
        assert said in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "docs").exists()
