"""The shapes of clothes worn on the upper body: shirt, jacket, dress."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from natviews.catalog.generated.drawing import (
    Drawing,
    Line,
    Part,
    Points,
    Seam,
    block,
    both,
    flipped,
    mirrored,
    oval,
    path,
)

SLEEVES = ("sleeveless", "short", "elbow", "long")
_SLEEVE_LENGTH = {"sleeveless": 0.0, "short": 0.15, "elbow": 0.25, "long": 0.43}
_NECK_DEPTH = {"round": 0.05, "v": 0.14, "boat": 0.02, "square": 0.08, "collar": 0.05, "roll": 0.012}


@dataclass(frozen=True)
class Bodice:
    """What shirts, jackets and dresses share: shoulders, neck opening and sleeves."""

    sleeve: str
    neckline: str
    top: float
    neck: float
    depth: float
    shoulder: float
    chest: float
    sleeve_width: float
    sleeve_angle: float
    cuff: float
    collar: float

    @classmethod
    def draw(cls, rng: np.random.Generator, sleeves: tuple[str, ...], necks: tuple[str, ...], scale: float) -> "Bodice":
        """A bodice with one of the sleeves and necklines; `scale` shrinks it for long garments."""
        sleeve, neckline = str(rng.choice(sleeves)), str(rng.choice(necks))
        wide = 1.65 if neckline == "boat" else 0.85 if neckline == "roll" else 1.0
        shoulder = rng.uniform(0.165, 0.205) * (0.82 if sleeve == "sleeveless" else 1.0)
        return cls(
            sleeve=sleeve,
            neckline=neckline,
            top=0.1 if scale < 0.9 else 0.16,
            neck=scale * wide * rng.uniform(0.06, 0.08),
            depth=scale * _NECK_DEPTH[neckline] * rng.uniform(0.75, 1.35),
            shoulder=scale * shoulder,
            chest=scale * rng.uniform(0.155, 0.2),
            sleeve_width=scale * rng.uniform(0.05, 0.085),
            sleeve_angle=rng.uniform(18, 48) if sleeve != "long" else rng.uniform(9, 26),
            cuff=float(rng.choice([0.0, 0.0, rng.uniform(0.02, 0.05)])),
            collar=scale * rng.uniform(0.06, 0.11),
        )

    @property
    def armpit(self) -> tuple[float, float]:
        """Where the right sleeve meets the side."""
        return 0.5 + self.chest, self.top + 0.8 * self.shoulder + 0.02

    def opening(self, back: bool) -> tuple[float | tuple[float, float] | tuple[tuple[float, float], ...], ...]:
        """The neck edge from its lowest middle to the right shoulder, as segments for a path."""
        side = (0.5 + self.neck, self.top)
        depth = 0.012 if back else self.depth
        if back or self.neckline in ("round", "boat", "roll"):
            return (0.5, self.top + depth), ((0.5 + 0.85 * self.neck, self.top + depth), side)
        if self.neckline == "square":
            return (0.5, self.top + depth), (0.5 + 0.85 * self.neck, self.top + depth), side
        return (0.5, self.top + depth), ((0.5 + 0.7 * self.neck, self.top + 0.45 * depth), side)

    def shoulder_line(self) -> tuple[tuple[float, float] | tuple[tuple[float, float], ...], ...]:
        """From the neck over the shoulder into the armpit."""
        tip = (0.5 + self.shoulder, self.top + 0.04)
        x, y = self.armpit
        return tip, ((0.5 + min(self.shoulder, self.chest) - 0.008, (tip[1] + y) / 2), (x, y))

    def sleeves(self) -> Drawing:
        """Both sleeves with their cuffs; nothing when there are none."""
        length = _SLEEVE_LENGTH[self.sleeve] * (0.8 if self.top < 0.15 else 1.0)
        if length == 0:
            return []
        angle = np.deg2rad(self.sleeve_angle)
        along = np.array([np.sin(angle), np.cos(angle)])
        across = np.array([along[1], -along[0]])
        tip = np.array([0.5 + self.shoulder - 0.01, self.top + 0.038])
        pit = np.array(self.armpit) + [0.0, 0.012]
        end = tip + along * length + along * 0.04
        inner = end - across * self.sleeve_width * 1.35
        bulge = tip + along * length * 0.4 + across * self.sleeve_width * 0.35
        outline = path(tuple(tip), (tuple(bulge), tuple(end)), tuple(inner), tuple(pit), (pit[0] - 0.04, tip[1] + 0.03))
        turn = float(self.sleeve_angle)
        parts: Drawing = [
            Part((outline,), turn=turn, tone=0.94),
            Part((flipped(outline),), turn=-turn, tone=0.9),
        ]
        if self.cuff:
            band = path(tuple(end), tuple(inner), tuple(inner - along * self.cuff), tuple(end - along * self.cuff))
            parts += [Part((ring,), "second", form="soft") for ring in both(band)]
        else:
            hem = np.float32([end - along * 0.014, inner - along * 0.014])
            parts += [Seam(line, 0.003, 0.3) for line in both(hem)]
        return parts

    def inside(self) -> Drawing:
        """The inner back that shows through the neck opening from in front."""
        high = 0.5 + self.neck
        hole = path((1 - high, self.top), ((0.5, self.top + 0.025), (high, self.top)), (high - 0.01, self.top + 0.02))
        low = path((0.5, self.top + self.depth + 0.01), (1 - high + 0.01, self.top + 0.02))
        return [Part((np.concatenate([hole, low]),), "inner", form="flat")]

    def finish(self, back: bool) -> Drawing:
        """What goes over the body at the neck: ribbing, collar or roll."""
        edge = path(*self.opening(back))
        edge = np.concatenate([flipped(edge)[::-1], edge])
        if self.neckline == "roll":
            return self._roll()
        if self.neckline == "collar":
            return self._wings(back)
        if self.neckline == "round" and self.collar > 0.07:
            return [Line(edge, 0.02, "second")]
        return [Seam(edge + np.float32([0, 0.012]), 0.003, 0.35)]

    def _roll(self) -> Drawing:
        tall = 0.6 * self.collar
        right = 0.5 + self.neck * 1.02
        half = path((0.5, self.top - tall), (right - 0.006, self.top - tall), (right, self.top + 0.01), ((0.53, self.top + 0.035), (0.5, self.top + 0.035)))
        ribs = [Seam(path((x, self.top - tall), (x, self.top + 0.02)), 0.003, 0.15) for x in np.linspace(1 - right + 0.01, right - 0.01, 9)]
        return [Part((mirrored(half),), "pattern", turn=90, tone=0.97), *ribs]

    def _wings(self, back: bool) -> Drawing:
        side = (0.5 + self.neck + 0.004, self.top - 0.012)
        if back:
            half = path((0.5, self.top - 0.028), ((0.5 + self.neck * 0.7, self.top - 0.028), side), (side[0] + 0.012, self.top + 0.03), ((0.5 + 0.5 * self.neck, self.top + 0.045), (0.5, self.top + 0.045)))
            return [Part((mirrored(half),), "main", tone=0.95)]
        point = (0.5 + self.neck * 0.75, self.top + self.depth * 0.6 + self.collar)
        wing = path((0.502, self.top + self.depth), ((0.5 + self.neck * 0.75, self.top + 0.01), side), (0.5 + self.neck + 0.025, self.top + 0.03), point)
        return [layer for ring in both(wing) for layer in (Part((ring,), "main", tone=1.04), Seam(ring, 0.003, 0.35))]


def _buttons(count: int, top: float, bottom: float, x: float = 0.5, radius: float = 0.008, paint: str = "light") -> Drawing:
    heights = np.linspace(top, bottom, count) if count else []
    layers: Drawing = []
    for y in heights:
        layers += [Part((oval(x, y, radius, radius),), paint), Seam(oval(x, y, radius, radius), 0.002, 0.5)]
    return layers


def _pocket(left: float, top: float, width: float, height: float, flap: bool) -> Drawing:
    outline = block(left, top, left + width, top + height, 0.012)
    layers: Drawing = [Part((outline,), tone=0.98), Seam(outline, 0.003, 0.4)]
    if flap:
        lid = path((left - 0.004, top), (left + width + 0.004, top), (left + width + 0.004, top + height * 0.25), (left + width / 2, top + height * 0.42), (left - 0.004, top + height * 0.25))
        layers += [Part((lid,), "second"), Seam(lid, 0.003, 0.35)]
    return layers


@dataclass(frozen=True)
class Shirt:
    """A T-shirt, blouse or shirt; `buttons` > 0 gives it a placket."""

    kind: ClassVar[str] = "shirt"
    bodice: Bodice
    length: float
    waist: float
    hem: float
    curve: float
    band: float
    buttons: int
    pockets: int
    flap: bool
    pocket: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Shirt":
        """A shirt with numbers of its own."""
        bodice = Bodice.draw(rng, SLEEVES, ("round", "round", "v", "boat", "collar", "collar", "roll"), 1.0)
        buttons = int(rng.integers(3, 9)) if bodice.neckline == "collar" else 0
        return cls(
            bodice=bodice,
            length=rng.uniform(0.5, 0.68),
            waist=rng.uniform(-0.02, 0.03),
            hem=rng.uniform(-0.015, 0.05),
            curve=float(rng.choice([0.0, rng.uniform(0.02, 0.06)])),
            band=float(rng.choice([0.0, 0.0, rng.uniform(0.02, 0.05)])),
            buttons=buttons,
            pockets=int(rng.choice([0, 0, 1, 2])),
            flap=bool(rng.random() < 0.5),
            pocket=rng.uniform(0.065, 0.095),
        )

    def outline(self, back: bool) -> Points:
        """The body without sleeves."""
        b = self.bodice
        low, right = b.top + self.length, 0.5 + b.chest + self.hem
        waist = (0.5 + b.chest - self.waist, (b.armpit[1] + low) / 2)
        half = path(*b.opening(back), *b.shoulder_line(), (waist, (right, low - self.curve)), ((0.56, low), (0.5, low)))
        return mirrored(half)

    def layers(self, back: bool) -> Drawing:
        """The drawing from in front or from behind."""
        b, outline, low = self.bodice, self.outline(back), self.bodice.top + self.length
        drawing = [*b.sleeves(), *([] if back else b.inside()), Part((outline,))]
        drawing += [Seam(line, 0.003, 0.35) for line in both(path((0.5 + b.shoulder, b.top + 0.04), *b.shoulder_line()[1:]))]
        if self.band and not self.curve:
            right = 0.5 + b.chest + self.hem
            drawing.append(Part((block(1 - right, low - self.band, right, low + 0.004, 0.01),), "second"))
        if back:
            yoke = path((0.5 - b.shoulder, b.top + 0.09), ((0.5, b.top + 0.11), (0.5 + b.shoulder, b.top + 0.09)))
            return [*drawing, *b.finish(True), *([Seam(yoke)] if self.buttons else [])]
        if self.buttons:
            placket = block(0.482, b.top + b.depth, 0.518, low - 0.004)
            drawing += [Part((placket,), form="flat", turn=90), Seam(placket, 0.003, 0.3)]
            drawing += _buttons(self.buttons, b.top + b.depth + 0.05, low - 0.05)
        for place in (0.53, 0.47 - self.pocket)[: self.pockets]:
            drawing += _pocket(place, b.top + 0.17, self.pocket, self.pocket * 1.15, self.flap)
        return [*drawing, *b.finish(False)]


@dataclass(frozen=True)
class Jacket:
    """A jacket or coat with a zip or buttons, lapels or a stand-up collar."""

    kind: ClassVar[str] = "jacket"
    bodice: Bodice
    length: float
    flare: float
    lapel: float
    double: bool
    buttons: int
    pocket_height: float
    pocket_slant: float
    hood: bool
    lining: str

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Jacket":
        """A jacket with numbers of its own."""
        return cls(
            bodice=Bodice.draw(rng, ("long",), ("v",), 0.97),
            length=rng.uniform(0.45, 0.78),
            flare=rng.uniform(0.0, 0.06),
            lapel=float(rng.choice([0.0, rng.uniform(0.05, 0.1)])),
            double=bool(rng.random() < 0.4),
            buttons=int(rng.choice([0, 2, 3, 4, 5])),
            pocket_height=rng.uniform(0.6, 0.75),
            pocket_slant=rng.uniform(-0.03, 0.04),
            hood=bool(rng.random() < 0.4),
            lining=str(rng.choice(["second", "third"])),
        )

    def layers(self, back: bool) -> Drawing:
        """The drawing from in front or from behind."""
        b = self.bodice
        low, right, neck = b.top + self.length, 0.5 + b.chest + 0.01 + self.flare, b.neck + 0.015
        collar = path((0.5, b.top - 0.035), (0.5 + neck, b.top - 0.025), (0.5 + neck + 0.015, b.top + 0.03), (0.5, b.top + 0.05))
        half = path((0.5, b.top + 0.012), (0.5 + neck, b.top), *b.shoulder_line(), ((0.5 + b.chest - 0.005, (b.armpit[1] + low) / 2), (right, low)), (0.5, low + 0.008))
        drawing: Drawing = []
        if self.hood:
            drawing.append(Part((oval(0.5, b.top - 0.005, neck * 1.45, neck * 1.1),), "pattern", tone=0.85))
        drawing += [*b.sleeves(), Part((mirrored(half),))]
        drawing += [Seam(line, 0.004, 0.4) for line in both(path((0.5 + b.shoulder, b.top + 0.04), *b.shoulder_line()[1:]))]
        drawing += [Seam(path((1 - right, low - 0.03), (right, low - 0.03)), 0.003, 0.3)]
        if back:
            return [*drawing, Seam(path((0.5, b.top + 0.05), (0.5, low))), Part((mirrored(collar),), "main", tone=0.94)]
        return drawing + self._front(low, neck)

    def _front(self, low: float, neck: float) -> Drawing:
        b = self.bodice
        gap = b.top + 0.09 + 2.2 * self.lapel
        inside = path((0.5 - neck, b.top), ((0.5, b.top + 0.02), (0.5 + neck, b.top)), (0.503, gap), (0.497, gap))
        side = 0.035 if self.double else 0.0
        drawing: Drawing = [Part((inside,), self.lining, tone=0.7)]
        drawing += [Seam(path((0.5 + side, gap), (0.5 + side, low)), 0.005, 0.6)]
        if self.lapel:
            ring = path((0.502, gap + 0.005), (0.5 + neck - 0.005, b.top - 0.015), (0.5 + neck + 0.03, b.top + 0.03), (0.5 + neck + self.lapel, b.top + 0.09), (0.5 + neck * 0.9 + self.lapel, b.top + 0.11))
            drawing += [layer for wing in both(ring) for layer in (Part((wing,), "main", tone=1.05), Seam(wing, 0.003, 0.4))]
        else:
            ring = path((0.5, gap), (0.5 + neck - 0.012, b.top - 0.03), (0.5 + neck + 0.02, b.top + 0.03), (0.52, gap + 0.01))
            drawing += [Part((wing,), self.lining) for wing in both(ring)]
        if self.buttons:
            columns = (0.5 - side, 0.5 + side) if self.double else (0.515,)
            for x in columns:
                drawing += _buttons(self.buttons, gap + 0.04, low - 0.12, x, 0.012, "dark")
        else:
            drawing += [Line(path((0.5, gap), (0.5, low)), 0.012, "silver"), Seam(path((0.5, gap), (0.5, low)), 0.006, 0.5, 0.006)]
        y = b.top + self.length * self.pocket_height
        slit = path((0.5 + 0.4 * b.chest, y + self.pocket_slant), (0.5 + 0.9 * b.chest, y))
        return drawing + [Line(line, 0.016, "main") for line in both(slit)]


@dataclass(frozen=True)
class Dress:
    """A dress: a bodice and a skirt that flares from the waist, in tiers perhaps."""

    kind: ClassVar[str] = "dress"
    bodice: Bodice
    waist: float
    waist_height: float
    length: float
    hem: float
    fullness: float
    tiers: int
    belt: str
    buttons: int
    border: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Dress":
        """A dress with numbers of its own."""
        return cls(
            bodice=Bodice.draw(rng, SLEEVES, ("round", "v", "v", "boat", "square", "collar"), 0.72),
            waist=rng.uniform(0.085, 0.115),
            waist_height=rng.uniform(0.24, 0.36),
            length=rng.uniform(0.56, 0.8),
            hem=rng.uniform(0.12, 0.3),
            fullness=rng.uniform(-0.03, 0.06),
            tiers=int(rng.choice([0, 0, 1, 2, 3])),
            belt=str(rng.choice(["", "", "sash", "belt"])),
            buttons=int(rng.choice([0, 0, 3, 5, 7])),
            border=float(rng.choice([0.0, 0.0, rng.uniform(0.025, 0.06)])),
        )

    def layers(self, back: bool) -> Drawing:
        """The drawing from in front or from behind."""
        b, middle, low = self.bodice, self.bodice.top + self.waist_height, self.bodice.top + self.length
        waist, hem = (0.5 + self.waist, middle), (0.5 + self.hem, low - 0.015)
        bow = (0.5 + self.waist + (self.hem - self.waist) * 0.45 + self.fullness, (middle + low) / 2)
        half = path(*b.opening(back), *b.shoulder_line(), ((0.5 + b.chest - 0.005, b.armpit[1] + 0.05), waist), (bow, hem), ((0.5 + 0.5 * self.hem, low + 0.012), (0.5, low + 0.01)))
        drawing = [*b.sleeves(), *([] if back else b.inside()), Part((mirrored(half),))]
        drawing += [Seam(line, 0.003, 0.3) for line in both(path((0.5 + b.shoulder, b.top + 0.04), *b.shoulder_line()[1:]))]
        drawing += self._skirt(middle, low) + b.finish(back)
        if self.buttons and not back:
            drawing += [Seam(path((0.5, b.top + b.depth), (0.5, middle)), 0.003, 0.3)]
            drawing += _buttons(self.buttons, b.top + b.depth + 0.025, middle - 0.03, 0.5, 0.007)
        return drawing + self._waistband(middle, back)

    def _width(self, share: float) -> float:
        """Half the width of the skirt at a share of its length."""
        straight = self.waist + (self.hem - self.waist) * (0.9 * share + 0.1 * share**2)
        return straight + 2 * self.fullness * share * (1 - share)

    def _skirt(self, middle: float, low: float) -> Drawing:
        drawing: Drawing = []
        for share in np.linspace(0, 1, self.tiers + 2)[1:-1]:
            half, y = self._width(share), middle + (low - middle) * share
            line = path((0.5 - half, y), ((0.5, y + 0.025), (0.5 + half, y)))
            drawing += [Seam(line, 0.012, 0.22), Seam(line - np.float32([0, 0.006]), 0.005, 0.3)]
        for share in np.linspace(-0.8, 0.8, 7):
            start = (0.5 + share * self.waist, middle + 0.01)
            end = (0.5 + share * self.hem, low - 0.02)
            drawing.append(Seam(path(start, end), 0.012, 0.1))
        if self.border:
            half, top = self._width(1 - self.border), low - self.border
            ring = path((0.5 - half, top - 0.012), ((0.5, top + 0.016), (0.5 + half, top - 0.012)), (0.5 + self.hem, low - 0.012), ((0.5, low + 0.028), (0.5 - self.hem, low - 0.012)))
            drawing.append(Part((ring,), "second", form="flat"))
        return drawing

    def _waistband(self, middle: float, back: bool) -> Drawing:
        if not self.belt:
            return [Seam(path((0.5 - self.waist, middle), ((0.5, middle + 0.01), (0.5 + self.waist, middle))), 0.004, 0.3)]
        half = self.waist + 0.003
        drawing: Drawing = [Part((block(0.5 - half, middle - 0.014, 0.5 + half, middle + 0.014, 0.005),), "second")]
        if self.belt == "belt" and not back:
            drawing += [Line(block(0.48, middle - 0.018, 0.52, middle + 0.018, 0.005), 0.006, "gold")]
        if self.belt == "sash":
            loops = [oval(0.5 + dx, middle, 0.03, 0.016) for dx in (-0.028, 0.028)]
            tails = both(path((0.503, middle), ((0.52, middle + 0.06), (0.525, middle + 0.13))))
            drawing += [Line(tail, 0.014, "second") for tail in tails] + [Part((loop,), "second") for loop in loops]
        return drawing
