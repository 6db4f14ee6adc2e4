"""Attention pooling: one vector for a product's photos, in which the telling photos weigh more.

Ilse, Tomczak and Welling, "Attention-based Deep Multiple Instance Learning", ICML 2018 (arXiv:1802.04712),
equation 8: photo k has the weight softmax_k(w . tanh(V x_k)).
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class AttentionPooling(nn.Module):
    """Sets of unit vectors (B, n, D), of which `there` (B, n) bool says which count, -> unit vectors (B, D).

    A new one is the mean: all weights are equal until it is trained.
    """

    def __init__(self, dim: int, hidden: int = 128) -> None:
        super().__init__()
        self.V = nn.Linear(dim, hidden)
        self.w = nn.Linear(hidden, 1, bias=False)
        nn.init.zeros_(self.w.weight)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        a = self.w(torch.tanh(self.V(x))).squeeze(2)  # (B, n)
        weights = a.masked_fill(~there, -torch.inf).softmax(dim=1)
        return F.normalize(torch.einsum("bn,bnd->bd", weights, x), dim=1)

    @torch.inference_mode()
    def pool(self, vectors: np.ndarray) -> np.ndarray:
        """The photos of one product (n, D) -> its vector (D,), float32."""
        x = torch.from_numpy(np.ascontiguousarray(vectors, np.float32))[None]
        return self(x, torch.ones(x.shape[:2], dtype=torch.bool))[0].numpy()
