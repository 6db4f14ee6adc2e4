"""What the encoder looks at: photos of some products, with the parts that hold up their similarity."""

from typing import TYPE_CHECKING

from natviews.catalog import PackedPhotos
from natviews.evaluation import covering
from natviews.progress import progress
from natviews.report.examples import products_of_each_type
from natviews.report.pictures import shown
from natviews.report.report import Saliency

if TYPE_CHECKING:
    from natviews.encoders import Encoder

PAIRS = 4


def saliency_of(encoder: "Encoder", packed: PackedPhotos) -> list[Saliency]:
    """Maps of a photo of each of some products, drawn by chance and not by how they look, towards another photo of
    the product. Photos must be packed as the encoder is shown them."""
    pairs = [rows[:2] for rows in products_of_each_type(packed.catalog, PAIRS, most=2)]
    found = []
    with progress("covering parts of photos", len(pairs)) as advance:
        for row, other in pairs:
            [target] = encoder.encode([packed.pixels(int(other))])
            made = covering(packed.pixels(int(row)), target, encoder.encode, encoder.architecture.crop)
            found.append(Saliency(shown(packed, int(row)), shown(packed, int(other)), *made))
            advance()
    return found
