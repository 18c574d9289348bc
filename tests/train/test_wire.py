"""What ranks tell each other comes back as it was, and nothing is pickled."""

import numpy as np
import pytest
import torch

from lsml_spark.train.survival import wire


@pytest.mark.parametrize(
    "value",
    ["", "done", None, True, 3, -0.5, [], {}, ["a", 1], {"a": [1, {"b": None}]}, "ü\x00🙂", float("inf")],
)
def test_plain_values(value):
    assert wire.unpack(wire.pack(value)) == value


def test_arrays_and_tensors_of_any_type_and_shape_between_each_other():
    generator = torch.Generator().manual_seed(3)
    floats = torch.randn(3, 4, generator=generator)
    value = {
        "clock": np.arange(12, dtype=np.int64).reshape(-1, 4),
        "none": np.empty((0, 4)),
        "state": [
            {"q": floats.to(dtype), "step": torch.tensor(3), "empty": torch.empty(0, 2)}
            for dtype in (torch.bfloat16, torch.float64)
        ],
        "flags": torch.tensor([True, False]),
        "column": floats.T,
        "number": np.float32(0.5),
    }
    found = wire.unpack(wire.pack(value))
    assert found["clock"].dtype == np.int64
    np.testing.assert_array_equal(found["clock"], value["clock"])
    assert found["none"].shape == (0, 4)
    for one, other in zip(found["state"], value["state"], strict=True):
        assert all(
            one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in other
        )
    assert torch.equal(found["flags"], value["flags"])
    assert torch.equal(found["column"], value["column"])
    assert found["number"] == 0.5
    found["clock"][0] = 1  # may be written to


def test_a_pickle_is_not_run():
    import pickle

    class Evil:
        def __reduce__(self):
            return exec, ("raise AssertionError('it ran')",)

    for data in (pickle.dumps(Evil()), (3).to_bytes(8, "little") + pickle.dumps(Evil())):
        with pytest.raises((ValueError, KeyError, TypeError)):
            wire.unpack(data)
    with pytest.raises(TypeError):
        wire.pack(Evil())
