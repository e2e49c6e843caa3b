"""Weights on disk: they come back whole or not at all, and no file runs code."""

from __future__ import annotations

import os
import pickle
import signal
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from gnomon.models.checkpoint import digest, load, replacing, save
from gnomon.models.errors import CheckpointError
from safetensors.torch import save_file
from torch import nn


def network(seed: int = 0, width: int = 4) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Linear(width, 2))


class Malicious:
    """A pickle of it makes a file where it is opened."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def refused(path: Path, model: nn.Module | None = None) -> str:
    """The one line with which `load` refuses a file; the model is as it was."""
    model = model or network(5)
    before = digest(model)
    with pytest.raises(CheckpointError) as error:
        load(model, path)
    assert digest(model) == before
    assert "\n" not in str(error.value)
    assert path.name in str(error.value)
    return str(error.value)


def test_what_is_saved_comes_back_bit_for_bit_with_its_metadata(tmp_path: Path):
    first, other = network(0), network(1)
    save(first, tmp_path / "m.safetensors", {"purpose": "a test"})
    about = load(other, tmp_path / "m.safetensors")
    assert digest(other) == digest(first) == about["digest"]
    assert about["model"] == "Sequential"
    assert about["purpose"] == "a test"
    assert about["gnomon"]


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_a_state_dict_is_loaded(tmp_path: Path, suffix: str):
    first, other = network(0), network(1)
    path = tmp_path / f"m{suffix}"
    torch.save(first.state_dict(), path)
    assert load(other, path) == {}
    assert digest(other) == digest(first)


def test_tied_weights_and_weights_of_few_bits_come_back(tmp_path: Path):
    def tied(seed: int) -> nn.Module:
        model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)).bfloat16()
        nn.init.constant_(model[0].weight, seed)
        model[1].weight = model[0].weight
        return model

    save(tied(1), tmp_path / "m.safetensors")
    other = tied(2)
    load(other, tmp_path / "m.safetensors")
    assert digest(other) == digest(tied(1))
    assert other[0].weight is other[1].weight


def test_a_digest_tells_any_other_weight_name_shape_or_type():
    base = network()
    digests = {digest(base), digest(network(1)), digest(network().double()), digest(network(width=5))}
    changed = network()
    changed[1].running_mean[0] += 1e-7
    digests |= {digest(changed), digest(nn.ModuleDict({"a": base}))}
    assert len(digests) == 6
    assert digest(network()) == digest(base)
    assert digest(base.eval()) == digest(base.train())


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
@pytest.mark.parametrize("writer", [torch.save, lambda what, path: path.write_bytes(pickle.dumps(what))])
def test_a_malicious_pickle_is_refused_and_runs_nothing(tmp_path: Path, suffix: str, writer):
    trace, path = tmp_path / "trace", tmp_path / f"m{suffix}"
    writer({"0.weight": Malicious(trace)}, path)
    line = refused(path)
    assert not trace.exists()
    if suffix != ".safetensors":
        assert "run code" in line
        assert "state_dict" in line
    pickle.loads(pickle.dumps(Malicious(trace)))
    assert trace.exists()  # it would have worked


def test_a_whole_pickled_model_is_refused_with_the_cure(tmp_path: Path):
    torch.save(network(), tmp_path / "m.pt")
    line = refused(tmp_path / "m.pt")
    assert "torch.nn.modules.container.Sequential" in line
    assert "model.state_dict()" in line


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str, kept: float):
    path = tmp_path / f"m{suffix}"
    save(network(), path) if suffix == ".safetensors" else torch.save(network().state_dict(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert "not a whole" in refused(path)


@pytest.mark.parametrize("place", [-1, -40, -100])
def test_a_byte_that_flipped_is_noticed_before_the_model_is_touched(tmp_path: Path, place: int):
    path = tmp_path / "m.safetensors"
    save(network(), path)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    assert "damaged" in refused(path)


def test_a_file_that_carries_no_digest_is_loaded(tmp_path: Path):
    save_file(network(0).state_dict(), tmp_path / "m.safetensors", {"format": "pt"})
    other = network(1)
    assert load(other, tmp_path / "m.safetensors") == {"format": "pt"}
    assert digest(other) == digest(network(0))


def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path):
    save(network(), tmp_path / "a.safetensors")
    torch.save(network().state_dict(), tmp_path / "a.pt")
    (tmp_path / "a.pt").rename(tmp_path / "b.safetensors")
    (tmp_path / "a.safetensors").rename(tmp_path / "b.pt")
    (tmp_path / "text.pt").write_text("epoch,loss\n1,0.5\n")
    for name in ("b.safetensors", "b.pt", "text.pt"):
        refused(tmp_path / name)
    (tmp_path / "m.bin").write_bytes(b"")
    assert ".safetensors" in refused(tmp_path / "m.bin")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path):
    assert "does not exist" in refused(tmp_path / "none.pt")
    (tmp_path / "folder.safetensors").mkdir()
    assert "not a file" in refused(tmp_path / "folder.safetensors")


@pytest.mark.filterwarnings("ignore")
def test_a_torchscript_archive_is_refused(tmp_path: Path):
    torch.jit.save(torch.jit.script(network()), tmp_path / "m.pt")
    assert "TorchScript" in refused(tmp_path / "m.pt")


def test_a_zip_bomb_is_refused_before_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with zipfile.ZipFile(tmp_path / "m.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", b"\0" * 10_000_000)
    monkeypatch.setattr(torch, "load", lambda *a, **k: pytest.fail("the file was opened"))
    assert "zip bomb" in refused(tmp_path / "m.pt")


def test_a_safetensors_header_that_claims_more_than_the_file_has_is_refused(tmp_path: Path):
    header = b'{"0.weight":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}'
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 16)
    (tmp_path / "b.safetensors").write_bytes((2**60).to_bytes(8, "little") + header)
    assert "not a whole" in refused(tmp_path / "a.safetensors")
    assert "not a whole" in refused(tmp_path / "b.safetensors")


def test_a_tensor_that_claims_a_shape_beyond_its_bytes_is_refused(tmp_path: Path):
    state = network().state_dict()
    state["0.weight"] = torch.zeros(1).expand(10**12)
    torch.save(state, tmp_path / "m.pt")
    assert "0.weight [1000000000000]" in refused(tmp_path / "m.pt")


def test_a_zip_that_is_no_state_dict_is_refused(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "without a state dict" in refused(tmp_path / "m.pt")


def test_a_list_of_tensors_is_refused(tmp_path: Path):
    torch.save([torch.zeros(2)], tmp_path / "m.pt")
    assert "holds a list" in refused(tmp_path / "m.pt")


def test_an_older_torch_opens_no_state_dict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    torch.save(network().state_dict(), tmp_path / "m.pt")
    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")
    assert "2.10" in refused(tmp_path / "m.pt")


def test_weights_that_do_not_fit_are_named_and_nothing_is_half_loaded(tmp_path: Path):
    save(network(width=6), tmp_path / "wide.safetensors")
    line = refused(tmp_path / "wide.safetensors")
    assert "7 of another shape" in line
    assert "0.weight [6, 3] float32 for [4, 3] float32" in line
    assert "…" in line
    state = network().state_dict()
    state["head.weight"] = state.pop("2.weight")
    torch.save(state, tmp_path / "renamed.pt")
    line = refused(tmp_path / "renamed.pt")
    assert "1 missing (2.weight)" in line
    assert "1 unexpected (head.weight)" in line


def test_integers_are_not_loaded_as_weights(tmp_path: Path):
    state = network().state_dict()
    state["0.weight"] = state["0.weight"].to(torch.int8)
    torch.save(state, tmp_path / "m.pt")
    assert "int8" in refused(tmp_path / "m.pt")


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path: Path):
    path = tmp_path / "m.safetensors"
    save(network(0), path)

    def half(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(CheckpointError, match="No space left"), replacing(path) as temporary:
        half(temporary)
    other = network(1)
    load(other, path)
    assert digest(other) == digest(network(0))
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.safetensors"]


def killed_while_saving(path: str) -> None:
    """Write half and die by SIGKILL; run by the test below in a process of its own."""
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_save_left_is_removed_by_the_next_and_what_others_write_is_not(tmp_path: Path):
    path = tmp_path / "w[1].safetensors"
    script = "import runpy, sys; runpy.run_path(sys.argv[1])['killed_while_saving'](sys.argv[2])"
    done = subprocess.run([sys.executable, "-c", script, __file__, str(path)], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert len(list(tmp_path.iterdir())) == 1
    alive = [tmp_path / f".{path.name}.{os.getppid()}.part", tmp_path / ".w[1].safetensors.notes.part"]
    for file in alive:
        file.touch()
    save(network(), path)
    assert set(tmp_path.iterdir()) == {path, *alive}


@pytest.mark.skipif(os.name != "posix", reason="rights as on POSIX")
@pytest.mark.parametrize("mask, rights", [(0o022, 0o644), (0o027, 0o640)])
def test_a_file_has_the_rights_that_the_user_gives_new_files(tmp_path: Path, mask: int, rights: int):
    before = os.umask(mask)
    try:
        save(network(), tmp_path / "m.safetensors")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "m.safetensors").stat().st_mode) == rights


def test_the_folder_is_on_the_disk_once_the_file_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced, real = [], os.fsync

    def noted(handle: int) -> None:
        folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        synced.append((folder, (tmp_path / "m.safetensors").exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", noted)
    save(network(), tmp_path / "m.safetensors")
    assert synced == [(False, False), (True, True)]


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path):
    with pytest.raises(CheckpointError, match="cannot be written"):
        save(network(), tmp_path / "none" / "m.safetensors")


def test_what_safetensors_cannot_hold_is_refused(tmp_path: Path):
    model = nn.Linear(2, 2, device="meta")
    with pytest.raises(CheckpointError, match="meta"):
        save(model, tmp_path / "m.safetensors")
