"""A sentence encoder is the user's own: its folder is found, or it is said what to name."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from experiments.errors import MissingDataError
from experiments.running import data


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch) -> None:
    monkeypatch.delenv(data.MODEL_VARIABLE, raising=False)


def model_in(folder: Path) -> Path:
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (folder / name).write_bytes(name.encode())
    return folder


def test_without_a_model_it_is_said_which_variable_names_one(tmp_path, monkeypatch) -> None:
    with pytest.raises(MissingDataError, match=r"INTERACTIONS_MODEL=sentence-transformers/all-"):
        data.sentence_encoder(tmp_path)
    with pytest.raises(MissingDataError, match="no sentence encoder in"):
        data.fingerprint("sentence_encoder", tmp_path)
    # A folder that holds something else is not taken for one.
    monkeypatch.setenv(data.MODEL_VARIABLE, str(tmp_path))
    with pytest.raises(MissingDataError, match=r"config\.json, tokenizer\.json and model\.safet"):
        data.sentence_encoder(None)


def test_the_variable_goes_before_the_data_directory(tmp_path, monkeypatch) -> None:
    own = model_in(tmp_path / "sentence_encoder")
    assert data.sentence_encoder(tmp_path) == own
    other = model_in(tmp_path / "other")
    monkeypatch.setenv(data.MODEL_VARIABLE, str(other))
    assert data.sentence_encoder(tmp_path) == other


def test_a_fingerprint_follows_weights_settings_and_tokenizer(tmp_path) -> None:
    own = model_in(tmp_path / "sentence_encoder")
    seen = {data.fingerprint("sentence_encoder", tmp_path)}
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (own / name).write_text("changed")
        seen.add(data.fingerprint("sentence_encoder", tmp_path))
    assert len(seen) == 4
    (own / "README.md").write_text("words")
    assert data.fingerprint("sentence_encoder", tmp_path) in seen


def test_a_name_that_is_no_folder_is_looked_for_on_the_hub(tmp_path, monkeypatch) -> None:
    hub = ModuleType("huggingface_hub")
    own = model_in(tmp_path / "snapshot")

    def download(name: str, allow_patterns: list[str]) -> str:
        if name != "someone/small":
            raise OSError("no such model")
        # Weights that would run code when they are read are not asked for.
        assert not [p for p in allow_patterns if "bin" in p or "py" in p]
        return str(own)

    hub.snapshot_download = download
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.setenv(data.MODEL_VARIABLE, "someone/small")
    assert data.sentence_encoder(None) == own
    monkeypatch.setenv(data.MODEL_VARIABLE, "someone/else")
    with pytest.raises(MissingDataError, match=r"someone/else is no folder .*no such model"):
        data.sentence_encoder(None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDataError, match=r'pip install "interactions\[language\]"'):
        data.sentence_encoder(None)
