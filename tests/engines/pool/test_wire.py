"""What crosses between a pool and those who ask it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engines.base import EngineError, InputError
from engines.batching.queue import Drop, Dropped
from engines.pool.wire import MAX_AXES, answered, packed, refused, result, unpacked

FLOATS = arrays.arrays(np.float32, arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=3))


@given(st.dictionaries(st.text(max_size=8), FLOATS, max_size=3))
def test_what_was_packed_comes_back(made: dict[str, np.ndarray]) -> None:
    back = result(answered(made))
    assert list(back) == list(made)
    for name, array in made.items():
        np.testing.assert_array_equal(back[name], array)
        assert back[name].shape == array.shape
        # The caller's own.
        assert back[name].flags.writeable


def test_what_is_not_contiguous_is_taken_and_what_is_not_float32_is_not() -> None:
    turned = np.arange(6, dtype=np.float32).reshape(2, 3).T
    np.testing.assert_array_equal(unpacked(packed({"a": turned}))["a"], turned)
    with pytest.raises(InputError, match="not float32"):
        packed({"a": turned.astype(np.float64)})


@pytest.mark.parametrize(
    ("shape", "data"), [((2, 3), b"1234"), ((-1, -1), b"1234"), ((1,) * (MAX_AXES + 1), b"1234"), ((1 << 40,), b"")]
)
def test_bytes_that_are_not_of_their_shape_are_refused(shape: tuple[int, ...], data: bytes) -> None:
    with pytest.raises(InputError, match="update both ends"):
        unpacked([("a", shape, data)])


@pytest.mark.parametrize("error", [Dropped(Drop.QUEUE_FULL), InputError("too long"), EngineError("the GPU is gone")])
def test_why_nothing_was_computed_is_what_it_was_there(error: EngineError) -> None:
    with pytest.raises(type(error)) as raised:
        result(refused(error))
    assert str(raised.value) == str(error)
    assert type(raised.value) is type(error)
