"""A generated catalogue: drawn product photos with full ground truth, the same for the same seed."""

from natviews.catalog.generated.generate import COLUMNS, generate_catalog
from natviews.catalog.generated.marketplaces import generate_marketplaces
from natviews.catalog.generated.photo import render_photo
from natviews.catalog.generated.shots import VIEW_KINDS

__all__ = ["COLUMNS", "VIEW_KINDS", "generate_catalog", "generate_marketplaces", "render_photo"]
