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
    now, main = service.maps.now, service.maps.snapshot.main
    if now is None:
        raise Refused(429, "The map is being drawn; look again in a moment.", retry=True)
    return Place(
        made=now.made,
        columns=service.maps.columns(),
        photos=main.embeddings.ids[now.rows].tolist(),
        products=main.embeddings.product_ids[now.rows].tolist(),
        x=now.x.round(4).tolist(),
        y=now.y.round(4).tolist(),
        values=service.maps.values(by) if by else [],
    )
