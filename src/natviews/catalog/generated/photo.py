"""One photo of a product: choosing what it shows, and rendering it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from natviews.catalog.generated import light as lighting
from natviews.catalog.generated.chance import pick, pick_weighted
from natviews.catalog.generated.dressing import fold, hang
from natviews.catalog.generated.marks import draw_parcel, draw_size_chart, stamp
from natviews.catalog.generated.neighbours import add_neighbours
from natviews.catalog.generated.pixels import Picture, Plane
from natviews.catalog.generated.pose import Pose, aimed, cover_over, creases, place, slopes
from natviews.catalog.generated.product import ProductPictures
from natviews.catalog.generated.scenes import LYING_BACKGROUNDS, Scene, build_scene, draw_rail
from natviews.catalog.generated.shapes import BOTTOMS, GARMENTS, SOFT

VIEW_KINDS = ("front", "angle", "back", "lying", "shelf", "detail", "box", "size_chart")


@dataclass(frozen=True)
class Habits:
    """How a marketplace photographs: relative weights of views and backgrounds, and chances.

    `counts` are weights of 1, 2, ... photos per product, `care` (0..1) the quality of light and camera,
    `watermark` the chance that a shop marks a product's photos.
    """

    counts: tuple[float, ...]
    views: Mapping[str, float]
    backgrounds: Mapping[str, float]
    care: float
    watermark: float


MIXED = Habits(
    counts=(0.12, 0.14, 0.22, 0.26, 0.16, 0.1),
    views={
        "front": 3,
        "angle": 2.6,
        "back": 1.3,
        "lying": 1.6,
        "shelf": 1.6,
        "detail": 1.0,
        "box": 0.15,
        "size_chart": 0.12,
    },
    backgrounds={"white": 3, "grey": 2, "paper": 2, "wood": 1, "fabric": 1, "wall": 2, "outdoor": 1.2},
    care=0.55,
    watermark=0.3,
)
STUDIO = replace(
    MIXED,
    counts=(0.0, 0.0, 0.35, 0.4, 0.25),
    views={"front": 3, "angle": 3, "back": 2, "lying": 0.8, "shelf": 0.4, "detail": 1.2, "size_chart": 0.1},
    backgrounds={"white": 8, "grey": 2, "paper": 1},
    care=0.95,
    watermark=0.1,
)
PHONE = replace(
    MIXED,
    counts=(0.2, 0.3, 0.3, 0.2),
    views={
        "front": 2,
        "angle": 2.5,
        "back": 0.8,
        "lying": 2.5,
        "shelf": 2.5,
        "detail": 0.8,
        "box": 0.3,
        "size_chart": 0.1,
    },
    backgrounds={"white": 0.5, "grey": 0.7, "paper": 0.7, "wood": 2, "fabric": 2, "wall": 3, "outdoor": 2},
    care=0.15,
    watermark=0.55,
)


@dataclass(frozen=True)
class Shot:
    """The plan of one photo; `seed` draws everything that the other fields leave open."""

    view_kind: str
    background: str
    watermarked: bool
    care: float
    seed: int = field(repr=False)


def plan_shots(habits: Habits, product_type: str, rng: np.random.Generator) -> list[Shot]:
    """The photos of one product; the first one always shows it."""
    count = 1 + int(rng.choice(len(habits.counts), p=np.array(habits.counts) / sum(habits.counts)))
    marked = rng.random() < habits.watermark
    shots: list[Shot] = []
    for number in range(count):
        views = {
            view: weight / (1 + 2 * sum(shot.view_kind == view for shot in shots))
            for view, weight in habits.views.items()
            if number or view in ("front", "angle", "lying", "shelf")
        }
        if product_type not in GARMENTS and product_type != "shoe":
            views.pop("size_chart", None)
        view = pick_weighted(rng, views)
        watermarked = bool(marked and view not in ("box", "size_chart") and rng.random() < 0.9)
        shots.append(
            Shot(view, _background(view, habits, rng), watermarked, habits.care, int(rng.integers(2**62)))
        )
    return shots


def _background(view: str, habits: Habits, rng: np.random.Generator) -> str:
    if view == "shelf":
        return "shelf"
    if view == "size_chart":
        return "white"
    lying = view == "lying"
    return pick_weighted(
        rng, {name: w for name, w in habits.backgrounds.items() if not lying or name in LYING_BACKGROUNDS}
    )


def render_photo(pictures: ProductPictures, shot: Shot, size: int) -> lighting.Photo:
    """The photo that a shot plans, uint8 (size, size, 3), blue-green-red, before JPEG compression."""
    rng = np.random.default_rng(shot.seed)
    product = pictures.product
    if shot.view_kind == "size_chart":
        return draw_size_chart(product.shop, size, rng).astype(np.uint8)
    scene = build_scene(shot.background, rng, size)
    if shot.view_kind == "box":
        pixels = draw_parcel(product.shop, scene.pixels, rng)
    else:
        pixels = _stage(scene, pictures, shot, rng)
    photo = lighting.Light.draw(rng, shot.care).expose(pixels, rng)
    return stamp(photo, product.shop) if shot.watermarked else photo


def _stage(scene: Scene, pictures: ProductPictures, shot: Shot, rng: np.random.Generator) -> Plane:
    """The scene with the product, dressed and posed, and with what is beside it."""
    product_type = pictures.product.design.product_type
    picture = pictures.back if shot.view_kind == "back" else pictures.front
    rail = None
    if product_type in GARMENTS and shot.view_kind != "detail":
        if shot.view_kind == "shelf":
            rail = rng.uniform(0.03, 0.16)
            draw_rail(scene, rail)
        if rail or (scene.ground and rng.random() < 0.3):
            picture = hang(picture, product_type in BOTTOMS)
        elif scene.ground is None and rng.random() < 0.3:
            picture = fold(picture)
    if shot.view_kind == "shelf" or (shot.care < 0.9 and rng.random() < 0.12):
        add_neighbours(scene, rail, rng)
    pose = draw_pose(shot.view_kind, product_type, rng)
    _set_product(scene, picture, pose, shot, product_type, rail, rng)
    return scene.pixels


def draw_pose(view_kind: str, product_type: str, rng: np.random.Generator) -> Pose:
    """A pose that suits the view."""
    pose = Pose(
        fill=rng.uniform(0.66, 1.02),
        x=rng.uniform(0.44, 0.56),
        y=rng.uniform(0.46, 0.53),
        angle=rng.normal(0, 3),
        squeeze=rng.uniform(0.93, 1),
        lean_x=rng.normal(0, 0.03),
        wave=rng.uniform(0.004, 0.014) if product_type in SOFT else 0.0,
        mirrored=bool(product_type == "shoe" and rng.random() < 0.5),
    )
    if view_kind == "detail":
        return replace(pose, fill=rng.uniform(1.6, 2.5), angle=rng.normal(0, 12))
    if view_kind == "shelf":
        x, squeeze = rng.uniform(0.35, 0.65), rng.uniform(0.8, 1)
        return replace(pose, fill=rng.uniform(0.45, 0.68), x=x, angle=0.0, squeeze=squeeze, lean_x=0.0)
    if view_kind == "lying":
        angle = rng.uniform(-180, 180) if rng.random() < 0.4 else rng.normal(0, 28)
        lean_x, lean_y = rng.normal(0, 0.12, 2)
        return replace(pose, angle=angle, lean_x=lean_x, lean_y=lean_y, wave=1.8 * pose.wave)
    if view_kind == "angle":
        # Cloth may be seen from the side; the same lean would lift the feet of furniture off the floor.
        lean_x = pick(rng, (-1, 1)) * rng.uniform(0.08, 0.38 if product_type in GARMENTS else 0.2)
        lean_y, squeeze = rng.normal(0, 0.06), rng.uniform(0.58, 0.85)
        return replace(pose, angle=rng.normal(0, 5), squeeze=squeeze, lean_x=lean_x, lean_y=lean_y)
    return pose


def _set_product(
    scene: Scene,
    picture: Picture,
    pose: Pose,
    shot: Shot,
    product_type: str,
    rail: float | None,
    rng: np.random.Generator,
) -> None:
    """Draw the product and its shadow into the scene."""
    size = scene.pixels.shape[0]
    stands = product_type not in GARMENTS and shot.view_kind not in ("detail", "lying")
    ground = scene.ground if stands else None
    matrix = pose.matrix(picture, size, ground=ground, rail=rail)
    if shot.view_kind == "detail":
        matrix = aimed(matrix, picture, size, rng)
    field = creases(rng, size, pose.angle + rng.normal(0, 25)) if pose.wave else None
    bend = None if field is None else np.stack([field, field[::-1]]) * np.float32(pose.wave * size)
    layer = place(picture, matrix, size, bend)
    if field is not None:
        depth = 0.16 if product_type in GARMENTS else 0.07
        layer[:, :, :3] *= 1 + np.float32(depth) * slopes(field)[:, :, None]
    cover = layer[:, :, 3] / np.float32(255)
    if ground is not None:
        lighting.ground_shadow(scene.pixels, cover, rng, rng.uniform(0.25, 0.5))
    else:
        lighting.cast_shadow(scene.pixels, cover, rng, rng.uniform(0.12, 0.45))
    cover_over(scene.pixels, layer)
