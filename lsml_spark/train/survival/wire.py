"""What ranks tell each other, as bytes: JSON, and numbers by their raw bytes.

torch's `all_gather_object` would pickle, so that whoever gets between two ranks could run code in them.
"""

import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

ARRAY, TENSOR = "\0array", "\0tensor"
HEAD = 8  # bytes of the length of the JSON


def pack(value: Any) -> bytes:
    """JSON values, numpy arrays of numbers and tensors, in lists and dicts with text keys; tuples come back
    as lists.
    """
    buffers: list[bytes] = []

    def plain(item: Any) -> Any:
        if isinstance(item, Tensor):
            numbers = item.detach().cpu().contiguous()
            buffers.append(
                numbers.reshape(-1).view(torch.uint8).numpy().tobytes() if numbers.numel() else b""
            )
            return {TENSOR: [str(item.dtype).removeprefix("torch."), list(item.shape), len(buffers[-1])]}
        if isinstance(item, np.ndarray):
            buffers.append(item.tobytes())
            return {ARRAY: [item.dtype.str, list(item.shape), len(buffers[-1])]}
        if isinstance(item, np.generic):
            return item.item()
        if isinstance(item, dict):
            return {key: plain(inner) for key, inner in item.items()}
        return [plain(inner) for inner in item] if isinstance(item, list | tuple) else item

    head = json.dumps(plain(value)).encode()
    return b"".join([len(head).to_bytes(HEAD, "little"), head, *buffers])


def unpack(data: bytes) -> Any:
    """The value that was packed. ValueError, KeyError or TypeError for other bytes; nothing of them is
    run.
    """
    begin = HEAD + int.from_bytes(data[:HEAD], "little")
    at = begin

    def take(size: int) -> bytearray:
        nonlocal at
        at += size
        return bytearray(data[at - size : at])  # a copy, which may be written to

    def rich(item: Any) -> Any:
        if isinstance(item, list):
            return [rich(inner) for inner in item]
        if not isinstance(item, dict):
            return item
        if TENSOR in item:
            name, shape, size = item[TENSOR]
            dtype = getattr(torch, name)
            raw = take(size)
            return (
                torch.frombuffer(raw, dtype=dtype).reshape(shape) if raw else torch.empty(shape, dtype=dtype)
            )
        if ARRAY in item:
            name, shape, size = item[ARRAY]
            return np.frombuffer(take(size), dtype=np.dtype(name)).reshape(shape)
        return {key: rich(inner) for key, inner in item.items()}

    return rich(json.loads(data[HEAD:begin]))
