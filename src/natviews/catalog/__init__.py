from natviews.catalog.catalog import Catalog, Photos, Statistics
from natviews.catalog.decode import BadPhoto, Unavailable, decode
from natviews.catalog.generated import generate_catalog, generate_marketplaces
from natviews.catalog.packed import PackedPhotos, Quarantined, pack, write_quarantine
from natviews.catalog.places import content_key
from natviews.catalog.prepared import Preparation, read_prepared
from natviews.catalog.reading import read_photo
from natviews.catalog.remote import Losses, Unreachable
from natviews.catalog.splits import with_split

__all__ = [
    "BadPhoto",
    "Catalog",
    "Losses",
    "PackedPhotos",
    "Photos",
    "Preparation",
    "Quarantined",
    "Statistics",
    "Unavailable",
    "Unreachable",
    "content_key",
    "decode",
    "generate_catalog",
    "generate_marketplaces",
    "pack",
    "read_photo",
    "read_prepared",
    "with_split",
    "write_quarantine",
]
