"""A view policy of one's own, in Python: more turning, no change of colour.

python examples/own_views.py PHOTO SHEET.png
"""

import random
import sys
from pathlib import Path

from natviews import Policy, render
from natviews.catalog import read_photo
from natviews.report import contact_sheet, write_picture
from natviews.views.ops import Crops, Flip, Rotate

JEWELLERY = Policy(
    globals=Crops(count=2, size=224, area=(0.5, 1.0)),
    locals=Crops(count=4, size=96, area=(0.1, 0.5)),
    by_type={"": (Flip(p=0.5), Rotate(degrees=180, p=1.0))},
)


def main(photo: Path, sheet: Path) -> None:
    pixels = read_photo(photo, longest=384)
    views = JEWELLERY.draw([pixels.shape[:2]], "", random.Random(0))
    labels = [", ".join(view.names) for view in views]
    write_picture(contact_sheet([render([pixels], views)], [labels], [photo.name], title="jewellery"), sheet)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
