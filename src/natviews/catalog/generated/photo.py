"""One photo of a product: scene, pose, light and watermark put together."""

from dataclasses import replace

import cv2
import numpy as np

from natviews.catalog.generated import light as lighting
from natviews.catalog.generated.chance import pick
from natviews.catalog.generated.dressing import fold, hang
from natviews.catalog.generated.marks import draw_parcel, draw_size_chart, stamp
from natviews.catalog.generated.neighbours import add_neighbours
from natviews.catalog.generated.pixels import Picture, Pixels, Plane
from natviews.catalog.generated.pose import Pose, aimed, cover_over, creases, place, slopes
from natviews.catalog.generated.product import ProductPictures
from natviews.catalog.generated.scenes import Scene, build_scene, draw_rail
from natviews.catalog.generated.shapes import BOTTOMS, GARMENTS, SOFT
from natviews.catalog.generated.shots import Shot


def render_photo(pictures: ProductPictures, shot: Shot, size: int) -> Pixels:
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
        relief = 1 + np.float32(depth) * slopes(field)
        layer *= cv2.merge([relief, relief, relief, np.ones_like(relief)])
    cover = layer[:, :, 3] / np.float32(255)
    if ground is not None:
        lighting.ground_shadow(scene.pixels, cover, rng, rng.uniform(0.25, 0.5))
    else:
        lighting.cast_shadow(scene.pixels, cover, rng, rng.uniform(0.12, 0.45))
    cover_over(scene.pixels, layer)
