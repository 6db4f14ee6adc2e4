"""Methods are compared with other implementations in float64, to ten digits."""

import pytest
import torch


@pytest.fixture(autouse=True)
def float64(monkeypatch):
    """Networks and views in float64; where a method says float it gets a double."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
