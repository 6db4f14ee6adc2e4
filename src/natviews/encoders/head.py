"""The closed-form natural-view head: keep what differs between products, shrink what differs within one.

Directions in which photos of the same product differ (pose, light, background) are shrunk, and those in which
products differ most, compared with that, are kept: linear discriminant analysis with products as its classes, as
in Mikolajczyk and Matas, "Improving Descriptors for Fast Tree Matching by Optimal Linear Projection", ICCV 2007.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from natviews.types import NatviewsError

RIDGE = 1e-9
"""Of the mean variance, added where photos of one product do not vary at all."""


class Whitening(nn.Module):
    """Unit features (B, D) -> unit vectors (B, K): subtract the mean, multiply by the K directions that tell most.

    The directions u solve T u = r C u with u^T C u = 1, where T is the covariance of all photos and C =
    (1 - shrinkage) * mean within-product covariance + shrinkage * its mean diagonal * I; kept are those of the
    highest r. With all D kept that is a whitening by C^(-1/2), turned. A saved head takes in new products without
    the old ones' features: it has both covariances, each as the upper half of its matrix.
    """

    mean: Tensor
    matrix: Tensor
    within: Tensor
    total: Tensor
    shrinkage: Tensor
    count: Tensor
    freedom: Tensor

    def __init__(self, dim: int, kept: int) -> None:
        super().__init__()
        half = dim * (dim + 1) // 2
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("matrix", torch.eye(dim, kept))
        self.register_buffer("within", torch.zeros(half))
        self.register_buffer("total", torch.zeros(half))
        self.register_buffer("shrinkage", torch.ones((), dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))
        self.register_buffer("freedom", torch.zeros((), dtype=torch.long))

    @property
    def kept(self) -> int:
        """K, how many numbers a vector has."""
        return self.matrix.shape[1]

    def forward(self, features: Tensor) -> Tensor:
        return F.normalize((features - self.mean) @ self.matrix, dim=1)

    @torch.inference_mode()
    def vectors(self, features: np.ndarray) -> np.ndarray:
        """The same for arrays: unit features (N, D) -> unit vectors (N, K), float32."""
        return self(torch.from_numpy(features).to(self.mean.device)).cpu().numpy()

    @classmethod
    def fit(
        cls, features: np.ndarray, product_ids: np.ndarray, *, shrinkage: float, kept: int | None = None
    ) -> "Whitening":
        """The head of these photos: `features` (N, D) unit float32, `product_ids` (N,), shrinkage 0..1, and how
        many directions are `kept`, or all.

        Raises NatviewsError where no product has two photos: there is no natural view to learn from.
        """
        scatter, freedom = within_product_scatter(features, product_ids)
        if not freedom:
            raise NatviewsError("No product has two photos; a natural-view head needs some that do.")
        moments = _Moments.of(features)
        return cls._of(moments, scatter / freedom, freedom, shrinkage, kept or features.shape[1])

    def keeping(self, kept: int) -> "Whitening":
        """The same head with the first `kept` of its directions."""
        head = Whitening(len(self.mean), min(kept, self.kept))
        head.load_state_dict(self.state_dict() | {"matrix": self.matrix[:, :kept]})
        return head

    def updated(self, features: np.ndarray, product_ids: np.ndarray) -> "Whitening":
        """The head of the photos so far and of further products': as if fitted on all of them at once.

        `features` (N, D) are unit float32 and of no product that was there before.
        """
        scatter, more_freedom = within_product_scatter(features, product_ids)
        freedom = int(self.freedom) + more_freedom
        within = (int(self.freedom) * _whole(self.within) + scatter) / freedom
        moments = self._moments.and_those_of(_Moments.of(features))
        return self._of(moments, within, freedom, self.shrinkage.item(), self.kept)

    def shrunk(self, shrinkage: float) -> "Whitening":
        """The head of the same photos with another shrinkage."""
        if shrinkage == self.shrinkage.item():
            return self
        return self._of(self._moments, _whole(self.within), int(self.freedom), shrinkage, self.kept)

    @property
    def _moments(self) -> "_Moments":
        return _Moments(int(self.count), self.mean.double().cpu().numpy(), _whole(self.total))

    @classmethod
    def _of(
        cls, moments: "_Moments", within: np.ndarray, freedom: int, shrinkage: float, kept: int
    ) -> "Whitening":
        dim = len(within)
        even = (np.trace(within) / dim or 1.0) * np.eye(dim)
        _, directions = scipy.linalg.eigh(
            moments.covariance, (1 - shrinkage) * within + (shrinkage + RIDGE) * even
        )
        directions = directions[:, ::-1][:, :kept]  # the highest ratio first
        largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=0)[None], axis=0)
        head = cls(dim, directions.shape[1])
        head.mean.copy_(torch.from_numpy(moments.mean))
        head.matrix.copy_(torch.from_numpy(directions * np.sign(largest)))  # a direction has two signs: always one
        head.within.copy_(_half(within))
        head.total.copy_(_half(moments.covariance))
        head.shrinkage.fill_(shrinkage)
        head.count.fill_(moments.count)
        head.freedom.fill_(freedom)
        return head


@dataclass(frozen=True)
class _Moments:
    """How many features there are, their mean (D,), and their covariance about it (D, D)."""

    count: int
    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> "_Moments":
        mean = features.mean(axis=0, dtype=np.float64)
        about = features - mean
        return cls(len(features), mean, about.T @ about / len(features))

    def and_those_of(self, other: "_Moments") -> "_Moments":
        """Of both together (Chan, Golub and LeVeque 1979)."""
        count = self.count + other.count
        one, two = self.count / count, other.count / count
        apart = other.mean - self.mean
        covariance = one * self.covariance + two * other.covariance + one * two * np.outer(apart, apart)
        return _Moments(count, one * self.mean + two * other.mean, covariance)


def _half(matrix: np.ndarray) -> Tensor:
    """The upper half of a symmetric matrix (D, D), row by row."""
    return torch.from_numpy(matrix[np.triu_indices(len(matrix))])


def _whole(half: Tensor) -> np.ndarray:
    """The symmetric matrix (D, D) float64 of such a half."""
    dim = int((np.sqrt(8 * len(half) + 1) - 1) / 2)
    matrix = np.zeros((dim, dim))
    matrix[np.triu_indices(dim)] = half.double().cpu().numpy()
    return matrix + np.triu(matrix, 1).T


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
