"""The map of the shop."""

from typing import Annotated

from fastapi import Query

from natviews.serving.api.asking import Here, addresses
from natviews.serving.forms import Place, Text
from natviews.serving.limits import Refused

router = addresses("map")


@router.get("/map")
def map_of_the_shop(
    service: Here, by: Annotated[Text, Query(description="The column that colours it.")] = ""
) -> Place:
    """Places of products in the plane: those that look alike lie together."""
    shown = service.maps.now()
    if shown is None:
        raise Refused(429, "The map is being drawn; look again in a moment.", retry=True)
    x, y = shown.plane.places.round(4).T.tolist()
    return Place(
        made=shown.plane.made,
        columns=shown.columns,
        photos=shown.photos.tolist(),
        products=shown.products,
        x=x,
        y=y,
        values=shown.values(by) if by else [],
    )
