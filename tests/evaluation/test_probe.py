"""The linear probe, on features whose answer is known."""

import numpy as np
import pytest

from natviews.evaluation import Labelled, linear_probe, means_with_intervals, mlp_probe
from natviews.evaluation.probe import RATES, STRENGTHS, STRONGER, WEAKER
from natviews.types import NatviewsError

NAMES = np.array(["checks", "dots", "stripes"])


def clouds(count, *, seed, spread=0.3, scale=1.0, shift=0.0):
    """Photos in three clouds, one for each name, in five dimensions."""
    rng = np.random.default_rng(seed)
    which = np.arange(count) % 3
    features = np.eye(5)[which] + rng.normal(0, spread, (count, 5))
    return Labelled(features * scale + shift, NAMES[which])


def test_what_is_apart_is_told_apart():
    probed = linear_probe(*(clouds(90, seed=seed, spread=0.05) for seed in range(3)))
    assert probed.correct.tolist() == [1.0] * 90
    assert probed.predicted.tolist() == clouds(90, seed=2).labels.tolist()


def test_labels_that_have_nothing_to_do_with_the_features_are_guessed():
    rng = np.random.default_rng(0)
    parts = [Labelled(rng.normal(size=(600, 4)), rng.choice(NAMES, 600)) for _ in range(3)]
    assert 0.25 < linear_probe(*parts).correct.mean() < 0.42


def test_photos_without_a_label_are_left_out_everywhere():
    parts = [clouds(90, seed=seed) for seed in range(3)]
    alone = linear_probe(*parts)
    # Those without a label lie far away, in the features of a name of their own: learnt, they would do harm.
    blank = Labelled(np.full((40, 5), 50.0), np.full(40, ""))
    joined = [
        Labelled(np.concatenate([blank.features, part.features]), np.concatenate([blank.labels, part.labels]))
        for part in parts
    ]
    among = linear_probe(*joined)
    assert among.rows.tolist() == list(range(40, 130))
    assert among.correct.tolist() == alone.correct.tolist()
    assert among.tried == alone.tried


def test_a_label_that_train_lacks_counts_as_wrong():
    train, val, test = (clouds(90, seed=seed, spread=0.05) for seed in range(3))
    seen = train.labels != "stripes"
    probed = linear_probe(Labelled(train.features[seen], train.labels[seen]), val, test)
    assert probed.correct.tolist() == (test.labels != "stripes").astype(float).tolist()


def test_val_chooses_the_strength():
    """Few noisy training photos in many dimensions: where val resembles test, the strongest wins; where val
    repeats train, the weakest, which knows train by heart."""
    rng = np.random.default_rng(0)

    def noisy(count):
        which = rng.integers(0, 2, count)
        return Labelled(0.5 * which[:, None] * (np.arange(40) < 4) + rng.normal(size=(count, 40)), NAMES[which])

    train, val, test = noisy(60), noisy(900), noisy(900)
    fair, by_heart = linear_probe(train, val, test), linear_probe(train, train, test)
    assert fair.chosen == max(fair.tried, key=fair.tried.get) >= max(STRENGTHS)
    assert by_heart.tried[min(STRENGTHS)] == 1.0 > by_heart.tried[max(STRENGTHS)]
    assert by_heart.chosen < fair.chosen
    assert fair.correct.mean() > by_heart.correct.mean()


def test_of_equal_strengths_the_stronger_is_taken():
    probed = linear_probe(*(clouds(90, seed=seed, spread=0.01) for seed in range(3)))
    assert set(probed.tried.values()) == {1.0} and probed.chosen >= max(STRENGTHS)


def test_neither_scale_nor_shift_nor_a_dead_unit_matter():
    parts = [clouds(90, seed=seed, spread=0.5) for seed in range(3)]
    moved = [
        Labelled(np.c_[1000 * part.features + 7, np.full(len(part.labels), 3.0)], part.labels) for part in parts
    ]
    one, other = linear_probe(*parts), linear_probe(*moved)
    assert one.predicted.tolist() == other.predicted.tolist() and one.tried == other.tried


def test_test_photos_are_scaled_as_training_photos_are():
    """Scaled by its own mean, a test split of one name would look like all the others."""
    train, val, test = (clouds(90, seed=seed, spread=0.05) for seed in range(3))
    dots = test.labels == "dots"
    assert linear_probe(train, val, Labelled(test.features[dots], test.labels[dots])).correct.all()


def test_its_answers_have_intervals_over_products():
    probed = linear_probe(*(clouds(90, seed=seed, spread=0.6) for seed in range(3)))
    [metric] = means_with_intervals({"pattern": probed.correct}, probed.rows // 3, row="probe")
    assert metric.low < metric.value == probed.correct.mean() < metric.high


@pytest.mark.parametrize("labels", [["dots"] * 6, [""] * 6])
def test_one_label_cannot_be_probed(labels):
    part = Labelled(np.zeros((6, 2)), np.array(labels))
    with pytest.raises(NatviewsError, match="two different labels"):
        linear_probe(part, part, part)


def test_the_grid_goes_on_while_val_gains():
    """Three of ten training labels are wrong: the stronger the better, beyond the middle of the grid."""
    rng = np.random.default_rng(1)

    def faint(count, wrong=0.0):
        which = rng.integers(0, 2, count)
        features = 0.5 * (2 * which[:, None] - 1) * (np.arange(40) < 20) + rng.normal(size=(count, 40))
        return Labelled(features, NAMES[np.where(rng.random(count) < wrong, 1 - which, which)])

    train, val = faint(200, wrong=0.3), faint(2000)
    probed = linear_probe(train, val, val)
    assert probed.chosen in STRONGER and set(probed.tried) <= {*STRENGTHS, *STRONGER}
    assert probed.tried[probed.chosen] == max(probed.tried.values()) == probed.correct.mean()
    by_heart = linear_probe(train, train, val)
    assert not set(by_heart.tried) & set(STRONGER) and set(by_heart.tried) - set(STRENGTHS) <= {WEAKER[0]}


def test_its_scores_are_scikit_learns_probabilities():
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    train, val, test = (clouds(90, seed=seed, spread=0.6) for seed in range(3))
    probed = linear_probe(train, val, test)
    scaler = StandardScaler().fit(train.features)
    model = LogisticRegression(C=1 / (probed.chosen * 90), max_iter=1000)
    model.fit(scaler.transform(train.features), train.labels)
    assert probed.scores == pytest.approx(model.predict_proba(scaler.transform(test.features)), abs=1e-3)
    assert probed.val_scores == pytest.approx(model.predict_proba(scaler.transform(val.features)), abs=1e-3)
    assert probed.classes.tolist() == NAMES.tolist() and probed.val_labels.tolist() == val.labels.tolist()
    assert probed.labels.tolist() == test.labels.tolist()


def corners(count, *, seed):
    """Two names on opposite corners of a square: no line parts them."""
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], (count, 2))
    noise = rng.normal(0, 0.3, (count, 6))
    noise[:, :2] += signs
    return Labelled(noise.astype(np.float32), NAMES[(signs.prod(axis=1) > 0).astype(int)])


def test_the_network_reads_what_is_not_linear():
    parts = [corners(count, seed=seed) for seed, count in enumerate((400, 200, 300))]
    assert linear_probe(*parts).correct.mean() < 0.65
    probed = mlp_probe(*parts)
    assert probed.correct.mean() > 0.9
    assert probed.chosen in RATES and set(probed.tried) == set(RATES)
    assert probed.scores.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_the_networks_best_epoch_on_val_is_kept():
    """The scores on val are those of the epoch whose accuracy is stated, though training went on after it."""
    rng = np.random.default_rng(0)
    parts = [Labelled(rng.normal(size=(120, 10)), rng.choice(NAMES, 120)) for _ in range(3)]
    probed = mlp_probe(*parts)
    on_val = (probed.classes[probed.val_scores.argmax(axis=1)] == probed.val_labels).mean()
    assert on_val == max(probed.tried.values()) == probed.tried[probed.chosen]


def test_the_network_sees_other_batches_in_every_epoch(monkeypatch):
    orders = []

    def shuffled(samples, random_state):
        orders.append(random_state.permutation(samples).tolist())
        return np.array(orders[-1])

    monkeypatch.setattr("sklearn.neural_network._multilayer_perceptron.shuffle", shuffled)
    mlp_probe(*(corners(90, seed=seed) for seed in range(3)))
    assert len(orders) > 8 and orders[0] != orders[1] != orders[2] != orders[0]


def test_the_same_seed_gives_the_same_network():
    parts = [corners(90, seed=seed) for seed in range(3)]
    one, same, other = (mlp_probe(*parts, seed=seed).scores.tolist() for seed in (0, 0, 1))
    assert one == same != other


def test_a_label_that_train_lacks_and_photos_without_one_are_the_networks_too():
    train, val, test = (clouds(90, seed=seed, spread=0.05) for seed in range(3))
    labels = np.where(train.labels == "stripes", "", train.labels)
    probed = mlp_probe(Labelled(train.features, labels), val, test)
    assert probed.classes.tolist() == ["checks", "dots"]
    assert probed.correct.tolist() == (test.labels != "stripes").astype(float).tolist()
