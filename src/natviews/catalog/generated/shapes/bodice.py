"""The upper body of shirts, jackets and dresses."""

from dataclasses import dataclass

import numpy as np

from natviews.catalog.generated.drawing import (
    Drawing,
    Line,
    Part,
    Seam,
    Segment,
    both,
    flipped,
    mirrored,
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
    def draw(
        cls, rng: np.random.Generator, sleeves: tuple[str, ...], necks: tuple[str, ...], scale: float
    ) -> "Bodice":
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

    def opening(self, back: bool) -> list[Segment]:
        """The neck edge from its lowest middle to the right shoulder, as segments for a path."""
        side = (0.5 + self.neck, self.top)
        depth = 0.012 if back else self.depth
        low = (0.5, self.top + depth)
        if back or self.neckline in ("round", "boat", "roll"):
            return [low, ((0.5 + 0.85 * self.neck, self.top + depth), side)]
        if self.neckline == "square":
            return [low, (0.5 + 0.85 * self.neck, self.top + depth), side]
        return [low, ((0.5 + 0.7 * self.neck, self.top + 0.45 * depth), side)]

    def shoulder_line(self) -> list[Segment]:
        """From the neck over the shoulder into the armpit."""
        x, y = self.armpit
        tip = (0.5 + self.shoulder, self.top + 0.04)
        return [tip, ((0.5 + min(self.shoulder, self.chest) - 0.008, (tip[1] + y) / 2), (x, y))]

    def armholes(self, strength: float = 0.32) -> Drawing:
        """The seams where the sleeves are sewn in."""
        return [Seam(line, 0.003, strength) for line in both(path(*self.shoulder_line()))]

    def sleeves(self) -> Drawing:
        """Both sleeves with their cuffs; nothing when there are none."""
        length = _SLEEVE_LENGTH[self.sleeve] * (0.8 if self.top < 0.15 else 1.0)
        if length == 0:
            return []
        angle = np.deg2rad(self.sleeve_angle)
        along = np.array([np.sin(angle), np.cos(angle)])
        across = np.array([along[1], -along[0]])
        tip = np.array([0.5 + self.shoulder - 0.01, self.top + 0.038])
        pit = np.array([self.armpit[0], self.armpit[1] + 0.012])
        end = tip + along * length + along * 0.04
        inner = end - across * self.sleeve_width * 1.35
        bulge = tip + along * length * 0.4 + across * self.sleeve_width * 0.35
        outline = path(
            tuple(tip), (tuple(bulge), tuple(end)), tuple(inner), tuple(pit), (pit[0] - 0.04, tip[1] + 0.03)
        )
        turn = float(self.sleeve_angle)
        parts: Drawing = [
            Part(outline, turn=turn, tone=0.94),
            Part(flipped(outline), turn=-turn, tone=0.9),
        ]
        if self.cuff:
            band = path(tuple(end), tuple(inner), tuple(inner - along * self.cuff), tuple(end - along * self.cuff))
            parts += [Part(ring, "second", form="soft") for ring in both(band)]
        else:
            hem = np.array([end - along * 0.014, inner - along * 0.014], np.float32)
            parts += [Seam(line, 0.003, 0.3) for line in both(hem)]
        return parts

    def inside(self) -> Drawing:
        """The inner back that shows through the neck opening from in front."""
        high = 0.5 + self.neck
        hole = path(
            (1 - high, self.top), ((0.5, self.top + 0.025), (high, self.top)), (high - 0.01, self.top + 0.02)
        )
        low = path((0.5, self.top + self.depth + 0.01), (1 - high + 0.01, self.top + 0.02))
        return [Part(np.concatenate([hole, low]), "inner", form="flat")]

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
        return [Seam(edge + np.array([0, 0.012], np.float32), 0.003, 0.35)]

    def _roll(self) -> Drawing:
        tall = 0.6 * self.collar
        right = 0.5 + self.neck * 1.02
        half = path(
            (0.5, self.top - tall),
            (right - 0.006, self.top - tall),
            (right, self.top + 0.01),
            ((0.53, self.top + 0.035), (0.5, self.top + 0.035)),
        )
        ribs = [
            Seam(path((x, self.top - tall), (x, self.top + 0.02)), 0.003, 0.15)
            for x in np.linspace(1 - right + 0.01, right - 0.01, 9)
        ]
        return [Part(mirrored(half), "pattern", turn=90, tone=0.97), *ribs]

    def _wings(self, back: bool) -> Drawing:
        side = (0.5 + self.neck + 0.004, self.top - 0.012)
        if back:
            half = path(
                (0.5, self.top - 0.028),
                ((0.5 + self.neck * 0.7, self.top - 0.028), side),
                (side[0] + 0.012, self.top + 0.03),
                ((0.5 + 0.5 * self.neck, self.top + 0.045), (0.5, self.top + 0.045)),
            )
            return [Part(mirrored(half), "main", tone=0.95)]
        point = (0.5 + self.neck * 0.75, self.top + self.depth * 0.6 + self.collar)
        wing = path(
            (0.502, self.top + self.depth),
            ((0.5 + self.neck * 0.75, self.top + 0.01), side),
            (0.5 + self.neck + 0.025, self.top + 0.03),
            point,
        )
        return [layer for ring in both(wing) for layer in (Part(ring, "main", tone=1.04), Seam(ring, 0.003, 0.35))]
