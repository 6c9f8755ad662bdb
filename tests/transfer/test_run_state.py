"""States of stopped optimizations."""

import numpy as np

from adain.files.arrays import LIMIT
from adain.transfer import run_state


def test_the_states_of_prints_are_read(tmp_path):
    """They have more bytes than other files of arrays may have; here a hole in front of them."""
    path, large = tmp_path / "small.state.npz", tmp_path / "large.state.npz"
    picture = np.arange(12, dtype=np.float32)
    run_state.save(path, {"alpha": 1.0}, {"picture": picture})
    with open(large, "wb") as file:
        file.seek(3 * LIMIT)
        file.write(path.read_bytes())
    assert large.stat().st_size > 2 * LIMIT
    loaded = run_state.load(large, {"alpha": 1.0})
    np.testing.assert_array_equal(loaded["picture"], picture)
