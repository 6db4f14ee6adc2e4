"""The closed-form natural-view head: whiten what differs between photos of one product.

Directions in which photos of the same product differ (pose, light, background) are shrunk, those in which
they agree are kept: linear discriminant analysis with products as its classes, as in Mikolajczyk and Matas,
"Improving Descriptors for Fast Tree Matching by Optimal Linear Projection", ICCV 2007.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from natviews.types import NatviewsError


class Whitening(nn.Module):
    """Unit features (B, D) -> unit vectors (B, D): subtract the mean, multiply by C^(-1/2).

    C = (1 - shrinkage) * mean within-product covariance + shrinkage * its mean diagonal * I.
    """

    mean: Tensor
    matrix: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("matrix", torch.eye(dim))

    def forward(self, features: Tensor) -> Tensor:
        return F.normalize((features - self.mean) @ self.matrix, dim=1)

    @torch.inference_mode()
    def vectors(self, features: np.ndarray) -> np.ndarray:
        """The same for arrays: unit features (N, D) -> unit vectors (N, D), float32."""
        return self(torch.from_numpy(features).to(self.mean.device)).cpu().numpy()

    @classmethod
    def fit(cls, features: np.ndarray, product_ids: np.ndarray, *, shrinkage: float) -> "Whitening":
        """The head of these photos: `features` (N, D) unit float32, `product_ids` (N,), shrinkage 0..1.

        Raises NatviewsError where no product has two photos: there is no natural view to learn from.
        """
        within = within_product_covariance(features, product_ids)
        dim = len(within)
        covariance = (1 - shrinkage) * within + shrinkage * np.trace(within) / dim * np.eye(dim)
        values, directions = np.linalg.eigh(covariance)
        values = np.maximum(values, 1e-12 * values.max())
        head = cls(dim)
        head.mean.copy_(torch.from_numpy(features.mean(axis=0, dtype=np.float64)))
        head.matrix.copy_(torch.from_numpy(directions / np.sqrt(values) @ directions.T))
        return head


def within_product_covariance(features: np.ndarray, product_ids: np.ndarray) -> np.ndarray:
    """(D, D) float64: how photos of one product scatter about their mean, over all products."""
    product = np.unique(product_ids, return_inverse=True)[1]
    counts = np.bincount(product)
    several = counts[product] > 1
    if not several.any():
        raise NatviewsError("No product has two photos; a natural-view head needs some that do.")
    sums = np.zeros((len(counts), features.shape[1]))
    np.add.at(sums, product, features.astype(np.float64))
    residuals = (features - (sums / counts[:, None])[product])[several]
    freedom = several.sum() - (counts > 1).sum()  # one mean was taken from each product
    return residuals.T @ residuals / freedom
