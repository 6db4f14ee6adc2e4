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

    C = (1 - shrinkage) * mean within-product covariance + shrinkage * its mean diagonal * I. What it was fitted
    on can be found again in C, so a saved head takes in new products without the old ones' features.
    """

    mean: Tensor
    matrix: Tensor
    shrinkage: Tensor
    count: Tensor
    freedom: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("matrix", torch.eye(dim))
        self.register_buffer("shrinkage", torch.ones((), dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))
        self.register_buffer("freedom", torch.zeros((), dtype=torch.long))

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
        scatter, freedom = within_product_scatter(features, product_ids)
        if not freedom:
            raise NatviewsError("No product has two photos; a natural-view head needs some that do.")
        mean = features.mean(axis=0, dtype=np.float64)
        return cls._of(mean, scatter / freedom, shrinkage, len(features), freedom)

    def updated(self, features: np.ndarray, product_ids: np.ndarray) -> "Whitening":
        """The head of the photos so far and of further products': as if fitted on all of them at once.

        `features` (N, D) are unit float32 and of no product that was there before. Raises NatviewsError where
        the shrinkage is 1: such a head has forgotten how photos vary.
        """
        shrinkage, seen, old_freedom = self.shrinkage.item(), int(self.count), int(self.freedom)
        if shrinkage >= 1:
            raise NatviewsError("A head of shrinkage 1 cannot be updated; fit it again.")
        inverse = np.linalg.inv(self.matrix.double().cpu().numpy())
        covariance = inverse @ inverse
        dim = len(covariance)
        # The trace of C is that of the covariance it was made from.
        old = (covariance - shrinkage * np.trace(covariance) / dim * np.eye(dim)) / (1 - shrinkage)
        scatter, more_freedom = within_product_scatter(features, product_ids)
        freedom, count = old_freedom + more_freedom, seen + len(features)
        mean = (seen * self.mean.double().cpu().numpy() + features.sum(axis=0, dtype=np.float64)) / count
        return self._of(mean, (old_freedom * old + scatter) / freedom, shrinkage, count, freedom)

    @classmethod
    def _of(cls, mean: np.ndarray, within: np.ndarray, shrinkage: float, count: int, freedom: int) -> "Whitening":
        dim = len(within)
        covariance = (1 - shrinkage) * within + shrinkage * np.trace(within) / dim * np.eye(dim)
        values, directions = np.linalg.eigh(covariance)
        values = np.maximum(values, 1e-12 * values.max())
        head = cls(dim)
        head.mean.copy_(torch.from_numpy(mean))
        head.matrix.copy_(torch.from_numpy(directions / np.sqrt(values) @ directions.T))
        head.shrinkage.fill_(shrinkage)
        head.count.fill_(count)
        head.freedom.fill_(freedom)
        return head


def within_product_scatter(features: np.ndarray, product_ids: np.ndarray) -> tuple[np.ndarray, int]:
    """How photos of one product scatter about their mean: the sum over all products, (D, D) float64, and its
    degrees of freedom; divided by them it is the within-product covariance."""
    product = np.unique(product_ids, return_inverse=True)[1]
    counts = np.bincount(product)
    several = counts[product] > 1
    sums = np.zeros((len(counts), features.shape[1]))
    np.add.at(sums, product, features.astype(np.float64))
    residuals = (features - (sums / counts[:, None])[product])[several]
    freedom = int(several.sum() - (counts > 1).sum())  # one mean was taken from each product
    return residuals.T @ residuals, freedom
