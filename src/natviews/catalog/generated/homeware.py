"""The shapes of small things for the home: mug, vase, lamp, cushion."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from natviews.catalog.generated.drawing import (
    Drawing,
    Line,
    Part,
    Seam,
    Spot,
    flipped,
    mirrored,
    oval,
    path,
    spline,
)


def _lathe(profile: list[Spot], sag: float) -> Part:
    """A turned body from its right profile, (radius, height) pairs from top to bottom; `sag` rounds its foot."""
    half = spline([(0.5 + radius, y) for radius, y in profile])
    low = profile[-1][1] + sag
    start, end = np.float32([[0.5, profile[0][1]]]), path(tuple(half[-1]), ((0.5 + 0.6 * profile[-1][0], low), (0.5, low)))
    return Part((mirrored(np.concatenate([start, half, end])),), form="round", gloss=0.5)


@dataclass(frozen=True)
class Mug:
    """A mug or cup, seen a little from above; from behind its handle is on the left."""

    kind: ClassVar[str] = "mug"
    radius: float
    height: float
    foot: float
    belly: float
    handle: str
    reach: float
    drop: float
    thick: float
    bands: int
    rim: str
    saucer: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Mug":
        """A mug with numbers of its own."""
        return cls(
            radius=rng.uniform(0.2, 0.28),
            height=rng.uniform(0.3, 0.58),
            foot=rng.uniform(0.55, 1.02),
            belly=rng.uniform(-0.035, 0.06),
            handle=str(rng.choice(["round", "square", "ear"])),
            reach=rng.uniform(0.11, 0.19),
            drop=rng.uniform(0.5, 0.85),
            thick=rng.uniform(0.028, 0.05),
            bands=int(rng.integers(0, 3)),
            rim=str(rng.choice(["pattern", "second", "third"])),
            saucer=bool(rng.random() < 0.25),
        )

    def layers(self, back: bool) -> Drawing:
        """The drawing with the handle on the right (front) or on the left (back)."""
        top, low, r = 0.5 - self.height / 2, 0.5 + self.height / 2, self.radius
        body = _lathe([(r, top), (r + self.belly * 0.9, top + 0.5 * self.height), (r * self.foot, low)], 0.035)
        drawing: Drawing = []
        if self.saucer:
            drawing += [Part((oval(0.5, low + 0.015, r * 1.5, 0.06),), "main", gloss=0.3), Part((oval(0.5, low + 0.008, r * 0.95, 0.035),), "main", tone=0.85)]
        handle = self._handle(top)
        drawing += [Line(flipped(handle) if back else handle, self.thick, "main" if self.rim == "pattern" else "second", 0.6), body]
        for number in range(self.bands):
            y = top + 0.055 + 0.045 * number
            drawing.append(Seam(path((0.5 - r - self.belly * 0.3, y), ((0.5, y + 0.07), (0.5 + r + self.belly * 0.3, y))), 0.012, 0.3))
        lip: Drawing = [Part((oval(0.5, top, r, 0.045),), self.rim, form="flat", tone=1.08)]  # type: ignore[arg-type]
        return [*drawing, *lip, Part((oval(0.5, top + 0.005, r - 0.018, 0.034),), "light", form="flat", tone=0.72)]

    def _handle(self, top: float) -> np.ndarray:
        start, end = (0.5 + self.radius * 0.96, top + 0.14 * self.height), self.radius * (1 + self.foot) / 2
        low = (0.5 + end * 0.96, top + self.drop * self.height)
        out = 0.5 + self.radius + self.reach
        if self.handle == "square":
            return path(start, (out - 0.03, start[1]), ((out, start[1]), (out, start[1] + 0.03)), (out, low[1] - 0.03), ((out, low[1]), (out - 0.03, low[1])), low)
        if self.handle == "ear":
            return path(start, ((out + 0.06, start[1] - 0.08), (out, (start[1] + low[1]) / 2 + 0.01), low))
        return path(start, ((out + 0.05, start[1] - 0.01), (out + 0.05, low[1] + 0.01), low))


@dataclass(frozen=True)
class Vase:
    """A vase or jug turned from a profile of five radii."""

    kind: ClassVar[str] = "vase"
    mouth: float
    neck: float
    shoulder: float
    belly: float
    foot: float
    height: float
    neck_height: float
    belly_height: float
    handles: int
    rings: int
    lip: str

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Vase":
        """A vase with numbers of its own."""
        return cls(
            mouth=rng.uniform(0.06, 0.16),
            neck=rng.uniform(0.035, 0.12),
            shoulder=rng.uniform(0.1, 0.22),
            belly=rng.uniform(0.13, 0.26),
            foot=rng.uniform(0.07, 0.14),
            height=rng.uniform(0.55, 0.8),
            neck_height=rng.uniform(0.12, 0.3),
            belly_height=rng.uniform(0.5, 0.75),
            handles=int(rng.choice([0, 0, 1, 2])),
            rings=int(rng.integers(0, 4)),
            lip=str(rng.choice(["main", "second", "third"])),
        )

    def layers(self, back: bool) -> Drawing:
        """The drawing from in front; from behind a single handle is on the other side."""
        top, h = 0.5 - self.height / 2, self.height
        middle = (self.neck_height + self.belly_height) / 2
        body = _lathe(
            [
                (self.mouth, top),
                (self.neck, top + h * self.neck_height * 0.6),
                (self.shoulder, top + h * middle),
                (self.belly, top + h * self.belly_height),
                (self.foot, top + h),
            ],
            0.02,
        )
        drawing: Drawing = []
        start, end = (0.5 + self.neck + 0.005, top + 0.1 * h), (0.5 + self.shoulder, top + h * middle)
        ear = path(start, ((0.5 + self.shoulder + 0.14, start[1] - 0.02), (0.5 + self.shoulder + 0.13, end[1] - 0.06), end))
        ears = [flipped(ear), ear] if self.handles == 2 else [flipped(ear) if back else ear]
        drawing += [Line(line, 0.032, "main", 0.6) for line in ears[: self.handles]]
        drawing.append(body)
        for number in range(self.rings):
            y = top + h * (self.neck_height * 0.6 + 0.05 * number)
            half = self.neck + 0.012 * number
            drawing.append(Seam(path((0.5 - half, y), ((0.5, y + 0.025), (0.5 + half, y))), 0.006, 0.35))
        drawing.append(Part((oval(0.5, top, self.mouth, 0.22 * self.mouth),), self.lip, form="flat"))  # type: ignore[arg-type]
        return [*drawing, Part((oval(0.5, top + 0.002, self.mouth * 0.86, 0.17 * self.mouth),), "inner", form="flat", tone=0.7)]


@dataclass(frozen=True)
class Lamp:
    """A table or floor lamp: a shade on a turned, straight or three-legged stand."""

    kind: ClassVar[str] = "lamp"
    stand: str
    metal: str
    shade_top: float
    shade_bottom: float
    shade_height: float
    bow: float
    base: float
    radii: tuple[float, float, float]
    trim: bool
    chain: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Lamp":
        """A lamp with numbers of its own."""
        bottom = rng.uniform(0.17, 0.28)
        stand = str(rng.choice(["turned", "pole", "tripod", "globe"]))
        return cls(
            stand=stand,
            metal=str(rng.choice(["gold", "silver", "dark", "oak", "walnut"])),
            shade_top=bottom * rng.uniform(0.35, 1.0),
            shade_bottom=bottom,
            shade_height=rng.uniform(0.2, 0.38),
            bow=rng.uniform(-0.05, 0.06),
            base=rng.uniform(0.1, 0.19),
            radii=(rng.uniform(0.02, 0.05), rng.uniform(0.05, 0.15), rng.uniform(0.02, 0.09)),
            trim=bool(rng.random() < 0.5),
            chain=bool(rng.random() < 0.4),
        )

    def layers(self, back: bool) -> Drawing:
        """The drawing; from behind the pull chain is not seen."""
        top, low = 0.07, 0.07 + self.shade_height
        upper, lower = (0.5 + self.shade_top, top), (0.5 + self.shade_bottom, low)
        middle = ((upper[0] + lower[0]) / 2 + self.bow, (top + low) / 2)
        half = path((0.5, top), upper, (middle, lower), ((0.5 + 0.6 * self.shade_bottom, low + 0.03), (0.5, low + 0.03)))
        drawing = self._stand(low)
        drawing += [Part((mirrored(half),), form="round", tone=1.1), Part((oval(0.5, top, self.shade_top, 0.12 * self.shade_top),), "inner", form="flat", tone=1.3)]
        if self.trim:
            for (x, y), sag in ((lower, 0.06), (upper, 0.02)):
                drawing.append(Line(path((1 - x, y), ((0.5, y + sag), (x, y))), 0.016, "second"))
        if self.chain and not back:
            x = 0.5 + self.shade_bottom * 0.55
            drawing += [Line(path((x, low + 0.01), (x, low + 0.12)), 0.006, "gold"), Part((oval(x, low + 0.13, 0.012, 0.012),), "gold")]
        return drawing

    def _stand(self, top: float) -> Drawing:
        low = 0.92
        if self.stand == "tripod":
            feet = [(0.5 - self.base * 1.3, low), (0.5 + self.base * 0.25, low - 0.02), (0.5 + self.base * 1.3, low)]
            return [Line(path((0.5, top), foot), 0.026, self.metal, 0.3) for foot in feet]  # type: ignore[arg-type]
        foot = mirrored(path((0.5, low - 0.05), (0.52, low - 0.05), ((0.5 + self.base, low - 0.035), (0.5 + self.base, low)), ((0.5, low + 0.03), (0.5, low + 0.022))))
        pole = Line(path((0.5, top - 0.02), (0.5, low - 0.02)), 0.022, self.metal, 0.6)  # type: ignore[arg-type]
        drawing: Drawing = [Part((foot,), self.metal, form="round", gloss=0.4), pole]  # type: ignore[arg-type]
        if self.stand == "pole":
            return drawing
        start = top + 0.1
        if self.stand == "globe":
            radius = min(self.radii[1] + 0.05, (low - start) / 2 - 0.01)
            return [*drawing, Part((oval(0.5, low - 0.03 - radius, radius, radius),), "second", form="round", gloss=0.7)]
        a, b, c = self.radii
        body = _lathe([(a, start), (b, start + 0.4 * (low - start)), (c, start + 0.75 * (low - start)), (self.base * 0.8, low - 0.02)], 0.02)
        return [*drawing, Part(body.rings, "second", form="round", gloss=0.6)]


@dataclass(frozen=True)
class Cushion:
    """A cushion: square, long or round, with piping, fringe, tassels or buttons."""

    kind: ClassVar[str] = "cushion"
    make: str
    width: float
    height: float
    pinch: float
    edge: str
    button: int
    panel: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Cushion":
        """A cushion with numbers of its own."""
        make = str(rng.choice(["square", "long", "round"], p=[0.5, 0.3, 0.2]))
        width = rng.uniform(0.28, 0.36) if make != "long" else rng.uniform(0.34, 0.4)
        return cls(
            make=make,
            width=width,
            height=width * (rng.uniform(0.5, 0.65) if make == "long" else rng.uniform(0.92, 1.05)),
            pinch=rng.uniform(0.015, 0.06),
            edge=str(rng.choice(["piping", "fringe", "tassels", "plain", "bobbles"])),
            button=int(rng.choice([0, 0, 0, 1, 4])),
            panel=float(rng.choice([0.0, 0.0, rng.uniform(0.3, 0.7)])),
        )

    def layers(self, back: bool) -> Drawing:
        """The drawing; from behind there is a zip and the plain colour."""
        w, h, p = self.width, self.height, self.pinch
        if self.make == "round":
            ring = oval(0.5, 0.5, w, h)
        else:
            half = path((0.5, 0.5 - h + p), ((0.5 + 0.6 * w, 0.5 - h + p), (0.5 + w, 0.5 - h)), ((0.5 + w - p * 1.6, 0.5), (0.5 + w, 0.5 + h)), ((0.5 + 0.6 * w, 0.5 + h - p), (0.5, 0.5 + h - p)))
            ring = mirrored(half)
        drawing = [*self._edge(ring), Part((ring,), "main" if back and self.button else "pattern")]
        if self.edge == "piping":
            drawing.append(Line(np.concatenate([ring, ring[:1]]), 0.018, "second"))
        if back:
            y = 0.5 + h * 0.7
            return [*drawing, Line(path((0.5 - w * 0.6, y), (0.5 + w * 0.6, y)), 0.012, "silver")]
        if self.panel and self.make != "round":
            drawing += [Seam(path((0.5 + x * w * self.panel, 0.5 - h + p), (0.5 + x * w * self.panel, 0.5 + h - p)), 0.008, 0.3) for x in (-1, 1)]
        spots = [(0.5, 0.5)] if self.button == 1 else [(0.5 + x * w * 0.4, 0.5 + y * h * 0.4) for x in (-1, 1) for y in (-1, 1)]
        for x, y in spots if self.button else []:
            drawing += [Seam(oval(x, y, 0.035, 0.035), 0.03, 0.2), Part((oval(x, y, 0.022, 0.022),), "second")]
        return drawing

    def _edge(self, ring: np.ndarray) -> Drawing:
        centre = np.float32([0.5, 0.5])
        if self.edge == "tassels" and self.make != "round":
            corners = [(x, y) for x in (-1, 1) for y in (-1, 1)]
            return [Line(path((0.5 + x * self.width, 0.5 + y * self.height), (0.5 + x * (self.width + 0.05), 0.5 + y * (self.height + 0.06))), 0.03, "second") for x, y in corners]
        if self.edge == "bobbles":
            spots = _evenly(ring, 26)
            return [Part((oval(float(x), float(y), 0.022, 0.022),), "second") for x, y in spots]
        if self.edge == "fringe":
            spots = _evenly(ring, 90)
            return [Line(np.stack([spot, spot + (spot - centre) * np.float32(0.11)]), 0.01, "second") for spot in spots]
        return []


def _evenly(ring: np.ndarray, count: int) -> np.ndarray:
    """`count` points at equal distances along a closed ring."""
    closed = np.concatenate([ring, ring[:1]])
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    places = np.linspace(0, along[-1], count, endpoint=False)
    return np.stack([np.interp(places, along, closed[:, axis]) for axis in (0, 1)], 1).astype(np.float32)


