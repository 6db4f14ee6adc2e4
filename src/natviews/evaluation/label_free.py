"""How good an encoder is, read off its features without labels: RankMe, alpha-ReQ and LiDAR.

All three depend on the number of photos, so only figures of the same photos may be compared: checkpoints of one
run, or encoders on one catalogue. How well they rank checkpoints is what `ranking_quality` says.
"""

from contextlib import suppress
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

from natviews.types import NatviewsError

LABEL_FREE = {
    "rankme": "How many directions the features use: the exponential of the entropy of their singular values. "
    "From 1, where all photos are alike, to the number of photos or dimensions; more is better. Garrido et al., "
    "ICML 2023, arXiv:2210.02885.",
    "alpha_req": "How fast the variance falls from direction to direction: its exponent over their ranks. From 0, "
    "where all directions vary alike, upwards; near 1 is good, far above it a few directions hold everything. "
    "Agrawal et al., NeurIPS 2022, arXiv:2202.05808.",
    "lidar": "How many directions tell products apart: the effective rank of linear discriminant analysis with "
    "products as its classes. From 1 (0 where all photos are alike) to the number of products less one; more is "
    "better. Thilak et al., ICLR 2024, arXiv:2312.04000.",
}
"""What each figure says, its range and its source."""

RANKME_EPSILON = 1e-7
LIDAR_EPSILON = 1e-8
LIDAR_DELTA = 1e-4
LEAST_DELTA = 1e-10
RANKS = (11, 100)
"""Where alpha-ReQ's line is fitted. The first ranks follow no power law, and too few photos bend the last ones:
with half of 1,266 real photos, alpha moved by .02 over ranks 11 to 100, and by .16 over ranks 11 to 500."""
LEAST_RANKS = 10
"""The fewest ranks that make a line."""
MOST_PHOTOS = 4096
ROUNDING = float(np.finfo(np.float32).eps) ** 2
"""The share of the features' square below which a direction is the rounding of float32."""


class _TooFewError(NatviewsError):
    """There are too few photos, products or directions for a figure."""


class RankingQuality(NamedTuple):
    """How well a figure ranks checkpoints: Spearman's `rho` -1..1, and its `regret`, 0 or more, in units of the
    truth: what is lost by taking the checkpoint that the figure likes best."""

    rho: float
    regret: float


def label_free_figures(
    features: np.ndarray, products: np.ndarray, *, most: int = MOST_PHOTOS, seed: int = 0
) -> dict[str, float]:
    """`rankme`, `alpha_req` and `lidar` of features (N, D), unit or raw, of photos of `products` (N,).

    A figure is left out where there are too few photos, products or directions for it. Of more than `most` photos,
    those of products drawn by `seed` count, the same ones for every encoder. Takes 1.5 s of one core for 2,000
    photos of 1,768 dimensions, 0.1 s for 1,000 of 512. Raises NatviewsError where a feature is no finite number.
    """
    _check(features, products)
    chosen = _sample(products, most, seed)
    features, products = features[chosen], products[chosen]
    figures = {"rankme": rankme(features)}
    with suppress(_TooFewError):
        figures["alpha_req"] = alpha_req(features)
    with suppress(_TooFewError):
        figures["lidar"] = lidar(features, products)
    return figures


def rankme(features: np.ndarray) -> float:
    """RankMe of features (N, D): exp of the entropy of p = s / sum(s) + 1e-7, s their singular values.

    From 1 to min(N, D), and 0 where all features are 0; more is better. The features are not centred. Garrido
    et al., "RankMe: Assessing the Downstream Performance of Pretrained Self-Supervised Representations by Their
    Rank", ICML 2023 (arXiv:2210.02885). Raises NatviewsError where a feature is no finite number.
    """
    _check(features)
    features = features.astype(np.float64)
    return _effective_rank(np.sqrt(_eigenvalues(features, np.square(features).sum())), RANKME_EPSILON)


def alpha_req(features: np.ndarray, *, ranks: tuple[int, int] = RANKS) -> float:
    """alpha-ReQ of features (N, D): alpha in variance ~ rank^-alpha, over the eigenvalues of their covariance.

    Near 1 is good. Below, variance is spread over directions that may be noise; far above, a few directions hold
    everything. A line through the logarithms by least squares, over `ranks` (the first is 1, both count) as far as
    there are eigenvalues. Agrawal et al., "alpha-ReQ: Assessing Representation Quality in Self-Supervised Learning
    by measuring eigenspectrum decay", NeurIPS 2022 (arXiv:2202.05808). Raises NatviewsError where a feature is no
    finite number, or with fewer than 10 ranks.
    """
    _check(features)
    features = features.astype(np.float64)
    variances = _eigenvalues(features - features.mean(axis=0), np.square(features).sum())
    directions = int(np.count_nonzero(variances))
    rank = np.arange(ranks[0], min(ranks[1], directions) + 1)
    if len(rank) < LEAST_RANKS:
        raise _TooFewError(
            f"alpha-ReQ needs {LEAST_RANKS} ranks from {ranks[0]} to {ranks[1]}; these features vary in "
            f"{directions} directions."
        )
    return float(-np.polyfit(np.log(rank), np.log(variances[rank - 1]), 1)[0])


def lidar(features: np.ndarray, products: np.ndarray, *, delta: float = LIDAR_DELTA) -> float:
    """LiDAR of features (N, D) of photos of `products` (N,), which are the surrogate classes.

    exp of the entropy of p = l / sum(l) + 1e-8, l the eigenvalues of W^-1/2 B W^-1/2: B the covariance of the
    products' means, W the mean covariance within products + `delta` of the features' variance (sum over
    dimensions) * I. On unit features that is nearly the paper's 1e-4, and here neither scale nor shift matters.
    Products with one photo do not count. From 1 to min(D, products - 1), and 0 where all photos are alike; more is
    better.

    With q photos a product, noise has the weight 1 / q in a direction, and p is normalised: pure noise has a high
    LiDAR. It ranks encoders that know products at all. Thilak et al., "LiDAR: Sensing Linear Probing Performance
    in Joint Embedding SSL Architectures", ICLR 2024 (arXiv:2312.04000). Raises NatviewsError where a feature is
    no finite number, `delta` is below 1e-10, or fewer than two products have two photos.
    """
    _check(features, products)
    if not delta >= LEAST_DELTA:
        raise NatviewsError(f"LiDAR needs a delta of {LEAST_DELTA} or more, not {delta}: W must have an inverse.")
    features, product, counts = _classes(features.astype(np.float64), products)
    if len(counts) < 2:
        raise _TooFewError("LiDAR needs two products of two photos each.")
    square = np.square(features).sum()
    features = features - features.mean(axis=0)
    if len(features) < features.shape[1]:
        features = np.linalg.qr(features.T).R.T  # turned into the directions in which they differ, at most N
    sums = np.zeros((len(counts), features.shape[1]))
    np.add.at(sums, product, features)
    means = sums / counts[:, None]
    within = features - means[product]
    between = means - means.mean(axis=0)
    if np.square(between).sum() <= ROUNDING * square:
        return 0.0
    ridge = delta * np.square(features).sum() / len(features)
    covariance = within.T @ within / (len(features) - len(counts)) + ridge * np.eye(features.shape[1])
    # With W = L L', the eigenvalues of W^-1/2 B W^-1/2 are those of L^-1 B L'^-1.
    whitened = solve_triangular(np.linalg.cholesky(covariance), between.T, lower=True)
    return _effective_rank(_eigenvalues(whitened, np.square(whitened).sum()), LIDAR_EPSILON)


def ranking_quality(figure: np.ndarray, truth: np.ndarray) -> RankingQuality:
    """How well a figure (K,) ranks K checkpoints whose true quality (K,) is known, more being better in both.

    Give -abs(alpha - 1) for alpha-ReQ. Spearman's rho is the correlation of ranks: equal values share the mean
    of theirs, and rho is 0 where all are equal. Of checkpoints that the figure likes equally well, the mean of the
    truth counts for the regret. Raises NatviewsError for fewer than two checkpoints, or where a value is no finite
    number.
    """
    figure, truth = np.asarray(figure, np.float64), np.asarray(truth, np.float64)
    if figure.ndim != 1 or figure.shape != truth.shape or len(figure) < 2:
        raise NatviewsError(
            f"Ranking needs a figure and a truth for each of two checkpoints or more, not {figure.shape} and "
            f"{truth.shape} values."
        )
    if not (np.isfinite(figure).all() and np.isfinite(truth).all()):
        raise NatviewsError("Ranking needs finite numbers; leave out the checkpoints that have none.")
    one, other = (ranks - ranks.mean() for ranks in (_ranks(figure), _ranks(truth)))
    lengths = np.sqrt((one @ one) * (other @ other))
    rho = float(one @ other / lengths) if lengths else 0.0
    return RankingQuality(rho, float(truth.max() - truth[figure == figure.max()].mean()))


def _check(features: np.ndarray, products: np.ndarray | None = None) -> None:
    if features.ndim != 2 or not features.size:
        raise NatviewsError(f"Features must be a table of photos by dimensions, not of shape {features.shape}.")
    if products is not None and len(products) != len(features):
        raise NatviewsError(f"There are features of {len(features)} photos, but products of {len(products)}.")
    bad = ~np.isfinite(features).all(axis=1)
    if bad.any():
        raise NatviewsError(f"Features must be finite numbers; those of photo {int(np.argmax(bad))} are not.")


def _sample(products: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Rows of at most `most` photos: all photos of one product after another, products in a drawn order."""
    if len(products) <= most:
        return np.arange(len(products))
    names, product = np.unique(products, return_inverse=True)
    turn = np.random.default_rng(seed).permutation(len(names))
    return np.argsort(turn[product], kind="stable")[:most]


def _classes(features: np.ndarray, products: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The features (n, D) of products with two photos or more, the product of each (n,) from 0 to C - 1, and how
    many photos each has (C,)."""
    _, product, counts = np.unique(products, return_inverse=True, return_counts=True)
    several = counts[product] > 1
    _, product, counts = np.unique(product[several], return_inverse=True, return_counts=True)
    return features[several], product, counts


def _eigenvalues(rows: np.ndarray, square: float) -> np.ndarray:
    """The min(N, D) eigenvalues of rows' * rows, rows (N, D), falling; 0 where they are rounding of `square`."""
    count, dim = rows.shape
    gram = rows.T @ rows if dim < count else rows @ rows.T  # the smaller of the two
    values = np.linalg.eigvalsh(gram)[::-1]
    return np.where(values > ROUNDING * square, values, 0.0)


def _effective_rank(values: np.ndarray, epsilon: float) -> float:
    """exp of the entropy of values >= 0 normalised to sum 1; 0 where all are 0."""
    total = values.sum()
    if not total:
        return 0.0
    share = values / total + epsilon
    return float(np.exp(-(share * np.log(share)).sum()))


def _ranks(values: np.ndarray) -> np.ndarray:
    """From 1; equal values share the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return (last - (counts - 1) / 2)[place]
