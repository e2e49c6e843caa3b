"""Weights on disk, safely: what is written is whole or not there, and what is read runs no code.

Read are safetensors files and PyTorch state dicts. A state dict is a pickle in a zip: it is opened by torch's
restricted unpickler alone, and only by a torch whose unpickler is known to hold [cve-2025-32434, cve-2026-24747].
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .errors import CheckpointError

TORCH_FLOOR = (2, 10)  # the first release whose weights_only unpickler has no known way around it
SAFETENSORS = (".safetensors",)
STATE_DICTS = (".pt", ".pth")
CURE = "save model.state_dict() where the file is trusted, best as safetensors"
NAMED = 3  # keys that an error spells out before it counts the rest


def save(model: nn.Module, path: Path | str, metadata: Mapping[str, str] | None = None) -> None:
    """Write a model's parameters and buffers as safetensors, whole or not at all.

    The file also says the model's class, gnomon's version and its `digest`; `metadata` adds texts of the user's.

    Raises:
        CheckpointError: the state is not of tensors alone, or the file cannot be written.
    """
    from safetensors.torch import save as serialized

    path = Path(path)
    _check_suffix(path, SAFETENSORS)
    state = {name: _alone(name, x) for name, x in model.state_dict().items()}
    about = {"model": type(model).__name__, "gnomon": _version(), "digest": digest(model)}
    with replacing(path) as temporary:
        temporary.write_bytes(serialized(state, {**(metadata or {}), **about}))


def load(model: nn.Module, path: Path | str) -> dict[str, str]:
    """Load weights into a model of the same architecture: all of them, or none.

    Returns:
        The file's metadata; empty for a state dict.

    Raises:
        CheckpointError: no such file, not what its name says, truncated, damaged (its digest is not that of its
            weights), not safe to open, or its keys, shapes and types do not fit the model.
    """
    path = Path(path)
    _check_suffix(path, SAFETENSORS + STATE_DICTS)
    state, metadata = _read_safetensors(path) if path.suffix in SAFETENSORS else (read_tensors(path), {})
    if "digest" in metadata and metadata["digest"] != _digest(state):
        raise CheckpointError(f"{path} is damaged: its weights do not have the digest that it carries; copy it again")
    _check_fit(path, model.state_dict(), state)
    model.load_state_dict(state)
    return metadata


def digest(model: nn.Module) -> str:
    """A model's identity: sha256 over name, type, shape and bytes of its parameters and buffers, in name order.

    The same weights give the same digest wherever they lie. Read from the state dict: buffers that are not persistent
    do not count, nor does what a module adds to it that is no tensor.

    >>> digest(nn.Identity())
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    return _digest(model.state_dict())


def _digest(state: Mapping[str, Any]) -> str:
    sha = hashlib.sha256()
    for name, x in sorted(state.items()):
        if not isinstance(x, Tensor):
            continue
        tensor = _dense(name, x)
        sha.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode() + b"\n")
        sha.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return f"sha256:{sha.hexdigest()}"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` to write to; it takes the name only when it is whole and on the disk.

    It is there, empty, with the rights of any new file. What killed processes left of theirs is removed.

    Raises:
        CheckpointError: it cannot be written, for want of space or permission.
    """
    temporary = _temporary(path)
    try:
        _clear(path)
        _create(temporary)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _settle(path.parent)
    except CheckpointError:
        raise
    except Exception as error:  # of many types: a full disk is torch's RuntimeError and safetensors' own error
        raise _unwritten(path, error) from None
    finally:
        _discard(temporary)


def check_writable(path: Path) -> None:
    """Find out now, rather than after an epoch, whether `replacing` can write here. Leaves nothing behind.

    Raises:
        CheckpointError: it cannot.
    """
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder; give the path of a file in it")
    temporary = _temporary(path)
    try:
        _clear(path)
        _create(temporary)
    except OSError as error:
        raise _unwritten(path, error) from None
    finally:
        _discard(temporary)


def read_tensors(path: Path) -> dict[str, Any]:
    """What torch.save wrote, if it is a dict of tensors, numbers and texts; on the CPU.

    Raises:
        CheckpointError: it is not such a file, or opening it safely is not possible.
    """
    if _torch_version() < TORCH_FLOOR:
        floor = ".".join(map(str, TORCH_FLOOR))
        raise CheckpointError(f"{path}: a state dict is opened by torch {floor} or newer alone; use safetensors")
    _check_archive(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of many types: the unpickler's, the zip reader's, the allocator's
        raise CheckpointError(f"{path} {_refusal(error)}") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a state dict; {CURE}")
    return content


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _create(temporary: Path) -> None:
    """An empty file with the rights of any new one; never through a link that someone else put there."""
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))


def _clear(path: Path) -> None:
    """Remove what this process's number, or processes that live no more, have left beside the path."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        number = left.name.removesuffix(".part").rpartition(".")[2]
        if number.isdecimal() and left == path.with_name(f".{path.name}.{number}.part") and not _lives(int(number)):
            _discard(left)


def _lives(process: int) -> bool:
    if process == os.getpid():
        return False  # an earlier process had the number, as in a container started again
    if os.name != "posix":
        return True  # elsewhere signal 0 would end it
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # another user's
    return True


def _discard(temporary: Path) -> None:
    with suppress(OSError):  # the folder may be gone, or be another user's
        temporary.unlink()


def _settle(folder: Path) -> None:
    """Have the folder itself on the disk, where the system can: else a power cut may take the new name back."""
    if os.name != "posix":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unwritten(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"{path} cannot be written: {_line(error)}; the file is as it was")


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    _check_file(path)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{path} is not a whole safetensors file: {_line(error)}; copy it again") from None


def _check_archive(path: Path) -> None:
    """A state dict's zip is stored, not compressed, so it can be no larger inside than outside."""
    _check_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        with path.open("rb") as file:
            bare = file.read(1) == b"\x80"  # how every pickle since protocol 2 begins
        if bare:
            raise CheckpointError(f"{path} is a bare pickle, which can run code when opened; {CURE}") from None
        raise CheckpointError(f"{path} is not a whole PyTorch file: {_line(error)}; copy it again") from None
    names = [entry.filename.partition("/")[2] for entry in entries]
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        raise CheckpointError(f"{path} is a TorchScript archive, which carries code; {CURE}")
    if sum(entry.file_size for entry in entries) > path.stat().st_size or any(e.compress_type for e in entries):
        raise CheckpointError(f"{path} declares more bytes than it has: it is compressed, or a zip bomb; {CURE}")
    if "data.pkl" not in names:
        raise CheckpointError(f"{path} is a zip without a state dict in it; {CURE}")


def _check_file(path: Path) -> None:
    if not path.exists():
        raise CheckpointError(f"{path} does not exist; give the path of a .safetensors, .pt or .pth file")
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file; give the path of a .safetensors, .pt or .pth file")


def _check_suffix(path: Path, suffixes: tuple[str, ...]) -> None:
    if path.suffix not in suffixes:
        raise CheckpointError(f"{path} must end with {' or '.join(suffixes)}, so that its name says what it holds")


def _check_fit(path: Path, expected: dict[str, Any], found: dict[str, Any]) -> None:
    faults = {
        "missing": [name for name in expected if name not in found],
        "unexpected": [str(name) for name in found if name not in expected],
        "of another shape or type": [
            f"{name} {_form(found[name])} for {_form(expected[name])}"
            for name in expected
            if name in found and not _fits(expected[name], found[name])
        ],
    }
    if any(faults.values()):
        said = "; ".join(f"{len(names)} {kind} ({_first(names)})" for kind, names in faults.items() if names)
        raise CheckpointError(f"{path} does not fit the model: {said}; build the architecture that was saved")


def _fits(expected: object, found: object) -> bool:
    if not isinstance(expected, Tensor) or not isinstance(found, Tensor):
        return type(expected) is type(found)
    return expected.shape == found.shape and _number_kind(expected) == _number_kind(found)


def _number_kind(x: Tensor) -> tuple[bool, bool, bool]:
    """Floats may be loaded as floats of another width; never integers as floats."""
    return x.is_floating_point(), x.is_complex(), x.dtype == torch.bool


def _form(x: object) -> str:
    return f"{list(x.shape)} {str(x.dtype).removeprefix('torch.')}" if isinstance(x, Tensor) else type(x).__name__


def _first(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def _dense(name: str, x: Tensor) -> Tensor:
    if x.is_meta:
        raise CheckpointError(f"'{name}' lies on the meta device and has no values; load the model's weights first")
    return (x.dequantize() if x.is_quantized else x).detach().to_dense()


def _alone(name: str, x: object) -> Tensor:
    """A copy that shares no memory: tied weights are written under each of their names."""
    if not isinstance(x, Tensor) or x.layout != torch.strided or x.is_quantized:
        raise CheckpointError(f"'{name}' of the model's state is not a plain tensor: safetensors cannot hold it")
    return _dense(name, x).cpu().clone(memory_format=torch.contiguous_format)


def _refusal(error: Exception) -> str:
    """Why torch would not open it. Its own message is a page that ends in how to open it unsafely."""
    needs = re.search(r"GLOBAL ([\w.]+)", str(error)) or re.search(r"Trying to \w+ ([\w.]+)", str(error))
    if needs:
        return f"is a pickle that asks for {needs[1]}, which could run code; {CURE}"
    if type(error).__name__ == "UnpicklingError":
        return f"is a pickle of more than tensors, which could run code; {CURE}"
    return f"is not a whole PyTorch file: {_line(error)}; copy it again"


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _torch_version() -> tuple[int, ...]:
    return tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])


def _version() -> str:
    try:
        return version("gnomon")
    except PackageNotFoundError:
        return "unknown"
