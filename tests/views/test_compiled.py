import numba
import numpy as np
import pytest

from natviews.views import compiled


def halve(values):
    for i in range(len(values)):
        values[i] *= np.float32(0.5)


@pytest.mark.parametrize("widest, taken", [("512", True), ("256", False)])
def test_loops_take_as_much_at_once_as_the_processor_has_room_for(widest, taken, tmp_path, monkeypatch):
    if not compiled.get_host_cpu_features().get("avx512vl"):
        pytest.skip("this processor takes at most 256 bits at once")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))  # what comes from a cache cannot be looked at
    monkeypatch.setattr(compiled, "WIDEST", widest)
    halved, values = compiled.compiled(halve), np.ones(100, np.float32)
    halved(values)
    assert (values == 0.5).all()
    (assembly,) = halved.inspect_asm().values()
    assert ("zmm" in assembly) == taken
