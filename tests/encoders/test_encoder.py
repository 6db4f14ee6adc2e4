import json

import numpy as np
import pytest
import torch
from broken_photos import picture
from safetensors import SafetensorError
from safetensors.torch import save_file
from torchvision.transforms.v2 import functional as tv

from natviews.encoders import Architecture, Encoder, Whitening, described_by
from natviews.types import NatviewsError
from natviews.views import render
from natviews.views.ops import Jitter

SMALL = Architecture(name="small", size=32, options={"width": 16})


def photos(count=5, height=50, width=40, seed=0):
    rng = np.random.default_rng(seed)
    return list(rng.integers(0, 255, (count, height, width, 3), dtype=np.uint8))


def contiguous(module):
    """A state dict as safetensors wants it."""
    return {name: tensor.contiguous() for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("name", ["small", "resnet10t", "vit_tiny_patch16_224"])
def test_photos_become_unit_vectors(name):
    options = {"img_size": 32} if name.startswith("vit") else {}
    encoder = Encoder.create(Architecture(name=name, size=32, options=options))
    vectors = encoder.encode(photos())
    assert vectors.shape == (5, encoder.dim) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_photo_is_shown_as_resize_and_centre_crop_would():
    encoder = Encoder.create(Architecture(name="small", size=56, crop=0.875))
    photo = picture(80, 110)
    ours = render([photo], [encoder.view(photo.shape[:2], encoder.size)])[0].astype(float)
    tensor = torch.from_numpy(photo.copy()).permute(2, 0, 1).float()
    theirs = tv.center_crop(tv.resize(tensor, [64], antialias=True), [56, 56]).permute(1, 2, 0).numpy()
    assert np.abs(ours - theirs).mean() < 0.5  # grey levels


def test_features_do_not_depend_on_the_batch_a_photo_is_in():
    encoder = Encoder.create(SMALL)
    many = encoder.encode(photos(70))
    alone = np.concatenate([encoder.encode([photo]) for photo in photos(70)])
    assert np.allclose(many, alone, atol=1e-5)


@pytest.mark.parametrize(
    "turned",
    [
        lambda photo: photo[..., 0],
        lambda photo: photo[..., :1],
        lambda photo: np.dstack([photo, photo[..., :1]]),
        lambda photo: photo / 255,
        lambda photo: photo.astype(np.uint16),
    ],
    ids=["grey", "one channel", "RGBA", "shares of white", "16 bits"],
)
def test_what_is_no_photo_of_bytes_in_three_colours_is_refused(turned):
    photo = np.full((40, 30, 3), 200, np.uint8)
    with pytest.raises(ValueError, match=r"must be \(H, W, 3\) uint8 RGB"):
        Encoder.create(SMALL).encode([turned(photo)])


def test_the_same_seed_gives_the_same_network_and_leaves_chance_alone():
    before = torch.get_rng_state()
    one, same, other = (Encoder.create(SMALL, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert one.digest() == same.digest() != other.digest()


def test_a_saved_encoder_with_its_head_comes_back_equal(tmp_path):
    encoder = Encoder.create(SMALL)
    features = np.concatenate(list(encoder.features(photos(30))))
    encoder.head = Whitening.fit(features, np.repeat(np.arange(10), 3).astype(str), shrinkage=0.3)
    encoder.save(tmp_path, card={"note": "for people"})
    again = Encoder.load(tmp_path)
    assert again.digest() == encoder.digest()
    assert np.array_equal(again.encode(photos()), encoder.encode(photos()))
    assert json.loads((tmp_path / "encoder.json").read_text())["card"] == {"note": "for people"}


@pytest.mark.parametrize("values", [{"crop": 1}, {"mean": (0, 0, 0), "std": [1, 1, 1]}, {"also": [48]}])
def test_an_encoder_of_whole_numbers_comes_back_equal(tmp_path, values):
    encoder = Encoder.create(Architecture(name="small", size=32, **values))
    encoder.save(tmp_path)
    assert Encoder.load(tmp_path).digest() == encoder.digest()


@pytest.mark.parametrize(
    "option",
    ["checkpoint_path", "pretrained", "pretrained_cfg_overlay", "cache_dir", "features_only", "scriptable"],
)
def test_a_card_cannot_make_timm_load_or_fetch_anything(tmp_path, option, monkeypatch):
    Encoder.create(Architecture(name="resnet10t", size=32)).save(tmp_path)
    card = json.loads((tmp_path / "encoder.json").read_text())
    card["architecture"]["options"] = {option: str(tmp_path / "evil.pth")}
    (tmp_path / "encoder.json").write_text(json.dumps(card))
    monkeypatch.setattr("timm.create_model", None)  # not reached
    with pytest.raises(NatviewsError, match=f"^encoder: options cannot hold '{option}', .*; leave it out"):
        Encoder.load(tmp_path)


def test_a_head_of_few_directions_comes_back_with_them_and_no_card_asks_for_too_many(tmp_path):
    encoder = Encoder.create(SMALL)
    features = np.concatenate(list(encoder.features(photos(30))))
    encoder.head = Whitening.fit(features, np.repeat(np.arange(10), 3).astype(str), shrinkage=0.3, kept=5)
    encoder.save(tmp_path)
    assert Encoder.load(tmp_path).encode(photos(2)).shape == (2, 5) and encoder.widths == {"vector": 5}
    card = json.loads((tmp_path / "encoder.json").read_text())
    for kept in (10**12, -1):
        (tmp_path / "encoder.json").write_text(json.dumps(card | {"head": kept}))
        with pytest.raises(NatviewsError, match="is damaged"):
            Encoder.load(tmp_path)
    (tmp_path / "encoder.json").write_text(
        json.dumps(card | {"head": True})
    )  # as it was said before heads kept fewer
    with pytest.raises(NatviewsError, match="an earlier natviews saved them; train again") as refused:
        Encoder.load(tmp_path)
    assert "\n" not in str(refused.value)


def test_changed_weights_are_noticed(tmp_path):
    encoder = Encoder.create(SMALL)
    encoder.save(tmp_path)
    Encoder.create(SMALL, seed=3).save(tmp_path / "other")
    (tmp_path / "other" / "encoder.safetensors").rename(tmp_path / "encoder.safetensors")
    with pytest.raises(NatviewsError, match="is not the file"):
        Encoder.load(tmp_path)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("I/O error: No space left on device (os error 28)", "The disk is full while writing"),
        ("I/O error: Permission denied (os error 13)", "cannot be written: Permission denied; choose"),
    ],
)
def test_a_disk_that_refuses_an_encoder_gives_one_sentence(tmp_path, monkeypatch, said, told):
    def refuse(*_, **__):
        raise SafetensorError(f"Error while serializing: {said}")

    monkeypatch.setattr("natviews.encoders.tensors.save_file", refuse)
    with pytest.raises(NatviewsError, match=rf"{told}"):
        Encoder.create(SMALL).save(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["truncate", "garbage", "remove"])
def test_damaged_weights_give_one_sentence(tmp_path, damage):
    Encoder.create(SMALL).save(tmp_path)
    weights = tmp_path / "encoder.safetensors"
    if damage == "truncate":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "garbage":
        weights.write_bytes(b"\xff" * 500)
    else:
        weights.unlink()
    with pytest.raises(NatviewsError, match=r"encoder\.safetensors"):
        Encoder.load(tmp_path)


def test_a_damaged_card_gives_one_sentence(tmp_path):
    Encoder.create(SMALL).save(tmp_path)
    (tmp_path / "encoder.json").write_text(
        '{"architecture": {"name": "small", "sise": 3}, "head": false, "digest": ""}'
    )
    with pytest.raises(NatviewsError, match="did you mean 'size'"):
        Encoder.load(tmp_path)


def test_weights_load_into_the_backbone_and_a_classifier_is_left_out(tmp_path):
    source = Encoder.create(SMALL, seed=5)
    state = contiguous(source.backbone)
    state["classifier.weight"] = torch.zeros(10, source.dim)
    save_file(state, tmp_path / "weights.safetensors")
    warm = Encoder.create(SMALL, weights=tmp_path / "weights.safetensors")
    assert np.array_equal(warm.encode(photos()), source.encode(photos()))


def test_weights_of_another_network_are_refused(tmp_path):
    wide = Encoder.create(Architecture(name="small", options={"width": 32}))
    save_file(contiguous(wide.backbone), tmp_path / "wide.safetensors")
    with pytest.raises(NatviewsError, match="another shape"):
        Encoder.create(SMALL, weights=tmp_path / "wide.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(NatviewsError, match="lacks"):
        Encoder.create(SMALL, weights=tmp_path / "other.safetensors")


def test_a_pickle_is_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "opened"), "w"))

    torch.save({"a": Bomb()}, tmp_path / "weights.pt")
    with pytest.raises(NatviewsError, match="only safetensors"):
        Encoder.create(SMALL, weights=tmp_path / "weights.pt")
    assert not (tmp_path / "opened").exists()


def test_a_weights_file_may_describe_its_own_preprocessing(tmp_path):
    metadata = {"timm": "mobilenetv2_100", "mean": "0.5", "std": "0.1 0.2 0.3", "pad_type": "same", "other": "x"}
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors", metadata=metadata)
    assert described_by(tmp_path / "w.safetensors") == {
        "name": "mobilenetv2_100",
        "mean": (0.5, 0.5, 0.5),
        "std": (0.1, 0.2, 0.3),
        "options": {"pad_type": "same"},
    }
    assert described_by("pretrained") == {}


def test_an_unknown_encoder_is_named_with_the_nearest():
    with pytest.raises(NatviewsError, match="did you mean 'resnet18'"):
        Architecture(name="resnet19")


def test_hub_weights_that_cannot_be_fetched_say_what_to_do(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("timm.create_model", lambda *a, **k: (_ for _ in ()).throw(OSError("no network")))
    with pytest.raises(NatviewsError, match=r"no network.*--weights FILE"):
        Encoder.create(Architecture(name="resnet18"), weights="pretrained")


def test_frozen_batch_norm_keeps_its_statistics_in_training():
    for batchnorm, moves in (("frozen", False), ("moving", True)):
        encoder = Encoder.create(Architecture(name="small", size=32, batchnorm=batchnorm)).train()
        before = encoder.backbone.stem[1].running_mean.clone()
        encoder(torch.randn(4, 3, 32, 32))
        assert torch.equal(before, encoder.backbone.stem[1].running_mean) != moves


def test_the_given_weights_see_what_they_were_trained_to_see(shared_data):
    """ImageNet classes of two photos: the file, its preprocessing and ours agree."""
    weights = shared_data / "weights" / "mobilenetv2_100.safetensors"
    encoder = Encoder.create(Architecture(**{"size": 224} | described_by(weights)), weights=weights)
    assert encoder.dim == 1280
    assert encoder.architecture.mean == (0.5, 0.5, 0.5)
    assert encoder.architecture.options == {"pad_type": "same"}


def test_of_several_sizes_the_mean_direction_is_taken():
    photos = [np.random.default_rng(seed).integers(0, 255, (80, 60, 3), np.uint8) for seed in range(3)]
    several = Encoder.create(Architecture(name="small", size=32, also=(64,)))
    found = next(several.features(photos))
    alone = []
    for size in (32, 64):
        encoder = Encoder.create(Architecture(name="small", size=size))
        encoder.load_state_dict(several.state_dict())
        alone.append(next(encoder.features(photos)))
    assert np.abs(alone[0] - alone[1]).max() > 0.01
    mean = sum(alone)
    assert np.allclose(found, mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-5)


def test_a_further_size_out_of_bounds_is_refused():
    with pytest.raises(NatviewsError, match="size 32 and 4096 must be 16 to 2048"):
        Architecture(name="small", size=32, also=(4096,))


def test_a_changed_photo_is_changed_the_same_way_for_the_same_place():
    photos = [np.random.default_rng(seed).integers(0, 255, (64, 64, 3), np.uint8) for seed in range(3)]
    encoder = Encoder.create(Architecture(name="small", size=32))
    jitter = Jitter(hue=0.5, p=1.0)
    plain, once, again = (next(encoder.features(photos, changed=op)) for op in (None, jitter, jitter))
    assert np.array_equal(once, again)
    assert np.abs(plain - once).max() > 1e-3
