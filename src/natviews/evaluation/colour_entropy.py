"""Colour entropy: whether clusters of similar photos mix colours, always beside what they know of style.

SkiLL (Verma et al., section 6, figure 7) asks that photos alike in style but not in colour lie together, so that
clusters hold many colours. By itself that is no figure of quality: vectors that say nothing mix all colours. So
each colour figure comes with the same of a style attribute, which such vectors do not know, and with both of
permuted labels, which is what clusters of these sizes show by chance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans

from natviews.evaluation.intervals import means_with_intervals
from natviews.types import Metric, NatviewsError

CLUSTERS = (50, 100, 200)
FEWEST = 20
"""Clusters of fewer photos do not count in the mean over clusters: the entropy of a handful is its size's."""
SEEDS = 5
ITERATIONS = 100
SLICE = "clusters"
CLUSTER_METRICS = {
    "colour_entropy": "Mean over clusters of 20 photos or more of the entropy of their colours, in nats (SkiLL, "
    "figure 7). More is less dependence on colour, or on anything: read it beside the style information.",
    "colour_entropy_weighted": "The entropy of colours within clusters, every photo weighing the same, in nats.",
    "colour_entropy_corrected": "The same with Miller and Madow's correction for small clusters.",
    "colour_entropy_normalised": "The weighted entropy over that of all photos' colours: 1 where clusters do not "
    "know colour, 0 where each has one colour.",
    "colour_information": "What a photo's cluster tells of its colour, in nats (mutual information).",
    "style_information": "What a photo's cluster tells of its style attribute, in nats (mutual information).",
    "style_entropy_normalised": "The weighted entropy of style within clusters over that of all: 0 is best.",
    "style_purity": "Share of photos whose style is the most frequent of their cluster.",
}
"""What each figure says; with `@K` behind its name it is that of K clusters."""


@dataclass(frozen=True)
class Attributes:
    """What is known of N photos: text (N,) each, '' where a colour or style is not known."""

    products: np.ndarray
    colours: np.ndarray
    styles: np.ndarray

    def __post_init__(self) -> None:
        for name, labels in (("colour", self.colours), ("style", self.styles)):
            if not (labels != "").any():
                raise NatviewsError(f"No photo to judge has a {name}; name a column that says it.")

    def permuted(self, rng: np.random.Generator) -> "Attributes":
        """The same labels on other products: each product takes another's colour and another's style."""
        _, first, product = np.unique(self.products, return_index=True, return_inverse=True)
        colours, styles = (rng.permutation(labels[first])[product] for labels in (self.colours, self.styles))
        return Attributes(self.products, colours, styles)


def cluster_counts(photos: int) -> tuple[int, ...]:
    """How many clusters to make of so many photos: those of CLUSTERS that leave 20 photos for each on average,
    else the root of half the photos (at least 2)."""
    counts = tuple(count for count in CLUSTERS if photos >= FEWEST * count)
    return counts or (max(2, round((photos / 2) ** 0.5)),)


def clustered(vectors: np.ndarray, count: int, *, seeds: int = SEEDS) -> Iterator[np.ndarray]:
    """The cluster (N,) of each of unit vectors (N, D), by k-means from each of some seeds; some may be empty."""
    distinct = len(np.unique(vectors, axis=0))
    for seed in range(seeds):
        model = KMeans(min(count, distinct), n_init=1, max_iter=ITERATIONS, random_state=seed)
        yield model.fit_predict(vectors)


def cluster_figures(
    vectors: np.ndarray,
    attributes: Attributes,
    *,
    row: str,
    counts: Sequence[int] | None = None,
    seeds: int = SEEDS,
) -> list[Metric]:
    """Colour entropy and style information of unit vectors (N, D), with the row `ROW, permuted` for chance.

    Means over the seeds of k-means; the intervals resample products and hold the clusters fixed. A figure that no
    cluster is large enough for is left out.
    """
    values: dict[str, np.ndarray] = {}
    chance: dict[str, np.ndarray] = {}
    rng = np.random.default_rng(0)
    for count in counts or cluster_counts(len(vectors)):
        clusterings = list(clustered(vectors, count, seeds=seeds))
        values |= _averaged([label_figures(found, attributes) for found in clusterings], count)
        permuted = [label_figures(found, attributes.permuted(rng)) for found in clusterings]
        chance |= _averaged(permuted, count)
    rows = {row: values, f"{row}, permuted": chance}
    return [m for r, v in rows.items() for m in means_with_intervals(v, attributes.products, row=r, slice=SLICE)]


def _averaged(figures: list[dict[str, np.ndarray]], count: int) -> dict[str, np.ndarray]:
    """The means over clusterings of what all of them have."""
    names = [name for name in figures[0] if all(name in found for found in figures)]
    return {f"{name}@{count}": np.mean([found[name] for found in figures], axis=0) for name in names}


def label_figures(clusters: np.ndarray, attributes: Attributes) -> dict[str, np.ndarray]:
    """Figure -> (N,) values whose mean is the figure of these clusters (N,); see CLUSTER_METRICS.

    Each photo's value is the figure and the photo's influence on it (Hampel, 1974), so that resampling products
    tells how sure the figure is. A photo without a label has no influence, the others more for it.
    """
    colour, style = _Shares(clusters, attributes.colours), _Shares(clusters, attributes.styles)
    figures = {
        "colour_entropy": colour.mean_entropy(),
        "colour_entropy_weighted": colour.entropy(),
        "colour_entropy_corrected": colour.entropy() + colour.correction(),
        "colour_entropy_normalised": colour.normalised(),
        "colour_information": colour.information(),
        "style_information": style.information(),
        "style_entropy_normalised": style.normalised(),
        "style_purity": style.purity(),
    }
    return {name: values for name, values in figures.items() if values is not None}


class _Shares:
    """How the labels of photos share out among all, and within their clusters; photos without a label apart."""

    def __init__(self, clusters: np.ndarray, labels: np.ndarray) -> None:
        self.known = labels != ""
        cluster = np.unique(clusters[self.known], return_inverse=True)[1]
        label = np.unique(labels[self.known], return_inverse=True)[1]
        self.counts = np.zeros((cluster.max() + 1, label.max() + 1))  # only clusters that hold a label
        np.add.at(self.counts, (cluster, label), 1)
        self.sizes = self.counts.sum(axis=1)
        self.cluster, self.label = cluster, label
        of_own, size = self.counts[cluster, label], self.sizes[cluster]
        self.surprise_within = -np.log(of_own / size)
        self.surprise = -np.log(self.counts.sum(axis=0)[label] / len(label))
        self.is_most = of_own == self.counts.max(axis=1)[cluster]

    def entropy(self) -> np.ndarray:
        """H(C|K) over photos."""
        return self._spread(self.surprise_within)

    def mean_entropy(self) -> np.ndarray | None:
        """The mean over clusters of FEWEST photos or more, each cluster weighing the same; None without one."""
        large = self.sizes >= FEWEST
        if not large.any():
            return None
        entropies = np.bincount(self.cluster, self.surprise_within) / self.sizes
        weight = (large / large.sum() / self.sizes)[self.cluster] * len(self.cluster)
        return self._spread(entropies[large].mean() + weight * (self.surprise_within - entropies[self.cluster]))

    def correction(self) -> float:
        """Miller and Madow's: what the entropy of n draws falls short on average, (labels seen - 1) / 2 n."""
        seen = (self.counts > 0).sum(axis=1)
        return float(((seen - 1) / 2).sum() / self.sizes.sum())

    def normalised(self) -> np.ndarray | None:
        """H(C|K) / H(C); None where all photos have one label."""
        whole = self.surprise.mean()
        if whole <= 0:
            return None
        ratio = self.surprise_within.mean() / whole
        return self._spread(ratio + (self.surprise_within - ratio * self.surprise) / whole)

    def information(self) -> np.ndarray:
        """I(C; K) = H(C) - H(C|K)."""
        return self._spread(self.surprise - self.surprise_within)

    def purity(self) -> np.ndarray:
        """Share of photos with their cluster's most frequent label; of equally frequent ones a share counts."""
        most = self.counts.max(axis=1, keepdims=True)
        share = 1 / (self.counts == most).sum(axis=1)
        return self._spread(self.is_most * share[self.cluster])

    def _spread(self, of_known: np.ndarray) -> np.ndarray:
        """Values of all photos (N,), those without a label with the mean."""
        mean, every = of_known.mean(), len(self.known) / len(of_known)
        values = np.full(len(self.known), mean)
        values[self.known] = mean + every * (of_known - mean)
        return values
