import pickle

import pytest
import torch

from threatray.errors import DataError
from threatray.synthesis.checkpoint import load_checkpoint, save_checkpoint


def test_what_was_saved_comes_back(tmp_path):
    path = tmp_path / "a.pt"
    save_checkpoint(path, {"x": torch.arange(3), "name": "n"})
    state = load_checkpoint(path)
    assert torch.equal(state["x"], torch.arange(3))
    assert state["name"] == "n"


def test_a_failed_save_leaves_the_old_checkpoint(tmp_path):
    path = tmp_path / "a.pt"
    save_checkpoint(path, {"x": 1})
    with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
        save_checkpoint(path, {"x": lambda: 1})
    assert load_checkpoint(path)["x"] == 1
    assert [item.name for item in tmp_path.iterdir()] == ["a.pt"]


def test_refuses_what_is_not_a_checkpoint(tmp_path):
    with pytest.raises(DataError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(DataError, match=r"text.pt: not a readable checkpoint"):
        load_checkpoint(tmp_path / "text.pt")
    torch.save({"model": 1}, tmp_path / "other.pt")
    with pytest.raises(DataError, match="not a threatray checkpoint of format 1"):
        load_checkpoint(tmp_path / "other.pt")


def test_refuses_a_file_that_was_cut_off(tmp_path):
    path = tmp_path / "a.pt"
    save_checkpoint(path, {"x": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(DataError, match="not a readable checkpoint"):
        load_checkpoint(path)


class Evil:
    def __reduce__(self):
        import os

        return os.system, ("true",)


def test_runs_no_code_from_the_file(tmp_path):
    torch.save({"format": 1, "x": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(DataError, match="not a readable checkpoint"):
        load_checkpoint(tmp_path / "evil.pt")
