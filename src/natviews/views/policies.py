"""Policies: how a photo may look while it remains the same product. Data, not code.

A policy draws the parameters of all views of one training step; a renderer makes the pixels.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

from natviews.config import check, choose, load_recipe
from natviews.types import NatviewsError
from natviews.views.families import family
from natviews.views.ops import (
    OPS,
    Background,
    Blur,
    CentralCrop,
    Collage,
    Crops,
    Erase,
    Flip,
    Grey,
    Jitter,
    Op,
    PatchZoom,
    Perspective,
    Rotate,
    Solarise,
    Watermark,
    ZoomOut,
)
from natviews.views.ops.op import Range
from natviews.views.view import Scene, Shape, View

LOCAL_SHARE = 96 / 224
"""Local crops are this much smaller than global ones in DINO; sizes are rounded to multiples of 8."""
Ops = tuple[Op, ...]


@dataclass(frozen=True)
class Policy:
    """What is drawn for one step.

    Global crops take turns over the anchors (with natural views the first shows x', the second x"); local
    crops show x' alone (SkiLL, equation 2). A view is drawn in this order, G after A in SkiLL's notation:

    1. `by_type`: what its product type allows to happen to the photo: the ops under the type itself, else
       under its family, else under '';
    2. the crop;
    3. `one_side`: on one of the global views only, at random;
    4. `every`: on every view;
    5. `per_global`, its entries taking turns over the global views, or `per_local`.
    """

    _: KW_ONLY
    globals: Crops
    locals: Crops | None = None
    by_type: Mapping[str, Ops] = field(default_factory=dict)
    one_side: Ops = ()
    every: Ops = ()
    per_global: tuple[Ops, ...] = ()
    per_local: Ops = ()

    def draw(
        self,
        anchors: Sequence[Shape | tuple[int, int]],
        product_type: str,
        rng: random.Random,
        *,
        siblings: Sequence[Shape | tuple[int, int]] = (),
        others: Sequence[Shape | tuple[int, int]] = (),
    ) -> list[View]:
        """The step's views, global ones first. `anchors` are the shapes (H, W, product's box or None) of x',
        x"...; a collage may also show `siblings` and `others`, numbered on from there."""
        scene = Scene(*([Shape(*photo) for photo in photos] for photos in (anchors, siblings, others)))
        by_type = self.of_type(product_type)
        side = rng.randrange(self.globals.count) if self.one_side else -1
        views = []
        for i in range(self.globals.count):
            ops = (*(self.one_side if i == side else ()), *self.every)
            ops += self.per_global[i % len(self.per_global)] if self.per_global else ()
            views.append(_draw(scene, i % len(scene.anchors), by_type, self.globals, ops, rng))
        if self.locals:
            ops = (*self.every, *self.per_local)
            views += [_draw(scene, 0, by_type, self.locals, ops, rng) for _ in range(self.locals.count)]
        return views

    def of_type(self, product_type: str) -> Ops:
        """What the product type allows to happen to the photo."""
        for name in (product_type, family(product_type), ""):
            if name in self.by_type:
                return self.by_type[name]
        return ()

    @property
    def companions(self) -> int:
        """How many photos of other products, and of the same one, it may show beside an anchor."""
        return max((op.cells[1] - 1 for op in self.one_side if isinstance(op, Collage)), default=0)

    def needs_foreground(self, product_type: str) -> bool:
        """Whether drawing goes by the product's box in the photo, where that is known."""
        return any(isinstance(op, Background | CentralCrop | PatchZoom) for op in self.of_type(product_type))

    @property
    def size(self) -> int:
        """The side of a global view in px."""
        return self.globals.size


def _draw(scene: Scene, source: int, by_type: Ops, crops: Crops, ops: Ops, rng: random.Random) -> View:
    view = View.of(scene, source)
    for op in by_type:
        op.apply(view, rng)
    crops.draw(view, rng)
    for op in ops:
        op.apply(view, rng)
    return view


def _local(size: int, count: int, area: Range) -> Crops | None:
    return Crops(count=count, size=max(16, round(size * LOCAL_SHARE / 8) * 8), area=area) if count else None


def none(*, size: int = 224) -> Policy:
    """The largest centred square, unchanged."""
    return Policy(globals=Crops(count=2, size=size, area=(1, 1), aspect=(1, 1)))


def simclr(*, size: int = 224, strength: float = 1.0, area: Range = (0.08, 1.0)) -> Policy:
    """SimCLR's: small crops, strong colour (Chen et al., ICML 2020, appendix A).

    `strength` scales the colour jitter (0.8, 0.8, 0.8, 0.2).
    """
    jitter = Jitter(
        brightness=0.8 * strength, contrast=0.8 * strength, saturation=0.8 * strength, hue=0.2 * strength
    )
    return Policy(globals=Crops(count=2, size=size, area=area), every=(Flip(), jitter, Grey(), Blur()))


def moco(*, size: int = 224, area: Range = (0.2, 1.0)) -> Policy:
    """MoCo v2's: milder colour than SimCLR's (Chen et al., arXiv:2003.04297)."""
    jitter = Jitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
    return Policy(globals=Crops(count=2, size=size, area=area), every=(jitter, Grey(), Blur(), Flip()))


def byol(*, size: int = 224, area: Range = (0.08, 1.0)) -> Policy:
    """BYOL's, unlike for the two views: the first is always blurred, the second sometimes solarised
    (Grill et al., NeurIPS 2020, appendix B). MoBY's as well."""
    return Policy(
        globals=Crops(count=2, size=size, area=area),
        every=(Flip(), Jitter(), Grey()),
        per_global=((Blur(p=1.0),), (Blur(p=0.1), Solarise(p=0.2))),
    )


def dino(*, size: int = 224, locals: int = 8, area: Range = (0.4, 1.0), local_area: Range = (0.05, 0.4)) -> Policy:
    """DINO's multi-crop: two global views that differ as BYOL's, and small local ones (Caron et al.,
    ICCV 2021)."""
    return Policy(
        globals=Crops(count=2, size=size, area=area),
        locals=_local(size, locals, local_area),
        every=(Flip(), Jitter(), Grey()),
        per_global=((Blur(p=1.0),), (Blur(p=0.1), Solarise(p=0.2))),
        per_local=(Blur(p=0.5),),
    )


_CLOTHES = (
    Flip(p=0.5), Rotate(degrees=20, p=0.5), CentralCrop(share=0.6, p=0.5), Perspective(distortion=0.2, p=0.3),
    PatchZoom(p=0.3), Erase(p=0.2),
)  # fmt: skip
BY_TYPE: Mapping[str, Ops] = {
    "dress": _CLOTHES,
    "shirt": _CLOTHES,
    # A patch of plain denim tells nothing, and the middle of trousers is where the legs part.
    "trousers": (
        Flip(p=0.5), Rotate(degrees=20, p=0.5), CentralCrop(share=0.8, p=0.5), Perspective(distortion=0.2, p=0.3),
        Erase(p=0.2),
    ),
    "shoes and bags": (Flip(p=0.5), Rotate(degrees=30, p=0.5), Perspective(distortion=0.4, p=0.5)),
    # Shape is what tells furniture apart: no turning on the head, no zoom into the cloth.
    "hard goods": (
        Background(p=0.3), Flip(p=0.5), Rotate(degrees=10, p=0.3), Perspective(distortion=0.2, p=0.3),
        ZoomOut(p=0.3),
    ),
    "": (Flip(p=0.5), Perspective(distortion=0.2, p=0.3)),
}  # fmt: skip
"""SkiLL's A_i, what each product type allows. The paper's list lies in its missing supplement: this is our choice
(the project's ruling A8), made so that what tells the type's products apart stays."""


def skill(
    *,
    size: int = 224,
    locals: int = 8,
    area: Range = (0.4, 1.0),
    local_area: Range = (0.05, 0.4),
    grey: float = 0.5,
    jitter: float = 0.8,
    blur: float = 0.5,
) -> Policy:
    """SkiLL's colour-agnostic views: grey, jitter and blur with p 0.5, 0.8 and 0.5, after what each product
    type allows, with DINO's multi-crop.

    Verma et al., "SkiLL", section 6 gives the probabilities; strengths and crop areas are DINO's.
    """
    return Policy(
        globals=Crops(count=2, size=size, area=area),
        locals=_local(size, locals, local_area),
        by_type=BY_TYPE,
        every=(Jitter(p=jitter), Grey(p=grey), Blur(p=blur)),
    )


def skill_weak_colour(*, size: int = 224, locals: int = 8, local_area: Range = (0.05, 0.4)) -> Policy:
    """SkiLL's ablation of colour: all three probabilities are 0.1."""
    return skill(size=size, locals=locals, local_area=local_area, grey=0.1, jitter=0.1, blur=0.1)


def skill_no_local(*, size: int = 224, locals: int = 8, local_area: Range = (0.05, 0.4)) -> Policy:
    """SkiLL's ablation of local augmentation: the same for every product type, a flip only."""
    return replace(skill(size=size, locals=locals, local_area=local_area), by_type={"": (Flip(p=0.5),)})


def sea(
    *, size: int = 224, area: Range = (0.2, 1.0), watermark: float = 0.3, collage: float = 0.1, hue: float = 0.1
) -> Policy:
    """SEA's, against what marketplaces do to photos: other perspectives, watermarks (p 0.3), stronger
    saturation and brightness, several items in one photo (p 0.1, 1 to 6, on one side of a pair).

    The probabilities of watermark and collage are the source's; strengths are the project's rulings A18 to A21.
    """
    return Policy(
        globals=Crops(count=2, size=size, area=area),
        one_side=(Collage(p=collage),),
        every=(
            Flip(p=0.5),
            Perspective(distortion=0.4, p=0.5),
            Rotate(degrees=30, p=0.3),
            Watermark(p=watermark),
            Jitter(brightness=0.6, contrast=0.4, saturation=0.8, hue=hue, p=0.8),
        ),
    )


def identity(*, size: int = 224, area: Range = (0.2, 1.0), colour: float = 0.2, views: int = 2) -> Policy:
    """For same-item matching: colour is kept, because another colour is another item.

    `colour` scales SimCLR's colour jitter; there is neither grey nor blur. With more than two `views` a step sees
    as many photos of a product, where it has them.
    """
    jitter = Jitter(brightness=0.8 * colour, contrast=0.8 * colour, saturation=0.8 * colour, hue=0.2 * colour)
    return Policy(globals=Crops(count=views, size=size, area=area), every=(Flip(), jitter))


def recoloured(*, size: int = 224, area: Range = (0.2, 1.0), colour: float = 0.2) -> Policy:
    """For two heads at once: two views as `identity` has them and two in any other colour.

    After LooC (Xiao et al., ICLR 2021): what one head must tell apart the other must not see.
    """
    kept = Jitter(brightness=0.8 * colour, contrast=0.8 * colour, saturation=0.8 * colour, hue=0.2 * colour)
    lost = Jitter(brightness=0.4, contrast=0.4, saturation=0.8, hue=0.5, p=1.0)
    return Policy(
        globals=Crops(count=4, size=size, area=area),
        every=(Flip(),),
        per_global=((kept,), (kept,), (lost,), (lost,)),
    )


def own(
    *,
    size: int = 224,
    globals: dict[str, Any] | None = None,
    locals: dict[str, Any] | None = None,
    by_type: dict[str, list[Any]] | None = None,
    one_side: list[Any] | None = None,
    every: list[Any] | None = None,
    per_global: list[list[Any]] | None = None,
    per_local: list[Any] | None = None,
) -> Policy:
    """A policy of your own, in plain values: crops by their parameters, an operation by its name (`flip`) or as
    one name with its parameters (`rotate: {degrees: 20, p: 0.5}`). `size` is the global views', unless they
    say otherwise."""
    return Policy(
        globals=_crops({"count": 2, "size": size} | (globals or {}), "globals"),
        locals=_crops(locals, "locals") if locals else None,
        by_type={name: _ops(ops, f"by_type {name}") for name, ops in (by_type or {}).items()},
        one_side=_ops(one_side, "one_side"),
        every=_ops(every, "every"),
        per_global=tuple(_ops(ops, "per_global") for ops in per_global or ()),
        per_local=_ops(per_local, "per_local"),
    )


def _crops(values: dict[str, Any], name: str) -> Crops:
    return Crops(**check(Crops, values, name))


def _ops(values: list[Any] | None, name: str) -> Ops:
    return tuple(_op(value, name) for value in values or ())


def op_named(name: str, **values: Any) -> Op:
    """The operation of that name, with its parameters checked: `op_named('rotate', degrees=20)`."""
    return _op({name: values}, "operation")


def _op(value: Any, where: str) -> Op:
    if isinstance(value, Mapping) and len(value) == 1:
        name, parameters = next(iter(value.items()))
    elif isinstance(value, str):
        name, parameters = value, {}
    else:
        raise NatviewsError(f"{where}: {value!r} is neither an operation's name nor `name: {{...}}`.")
    made = choose(name, OPS, "operation")
    return made(**check(made, parameters or {}, f"{where}: {name}"))


POLICIES: dict[str, Callable[..., Policy]] = {
    "byol": byol,
    "dino": dino,
    "identity": identity,
    "moco": moco,
    "none": none,
    "own": own,
    "recoloured": recoloured,
    "sea": sea,
    "simclr": simclr,
    "skill": skill,
    "skill-no-local": skill_no_local,
    "skill-weak-colour": skill_weak_colour,
}


def load_policy(name: str, **unless_given: Any) -> Policy:
    """The policy of that name, or of the block `views:` in a YAML file (a recipe, say).

    `unless_given` are parameters for it to take where the file does not say otherwise.
    """
    if not name.endswith((".yaml", ".yml")):
        return policy(name, **unless_given)
    block = load_recipe(name).get("views")
    values = {"name": block} if isinstance(block, str) else block
    if not isinstance(values, Mapping) or not isinstance(values.get("name"), str):
        raise NatviewsError(f"{name} has no block `views:` with a name.")
    return policy(**{**unless_given, **values})


def policy(name: str, **values: Any) -> Policy:
    """The policy of that name, with its parameters checked: `policy('skill', size=96, locals=6)`."""
    make = choose(name, POLICIES, "policy")
    try:
        return make(**check(make, values, f"policy {name}"))
    except NatviewsError as error:
        raise NatviewsError(f"views {name}: {error}") from None
