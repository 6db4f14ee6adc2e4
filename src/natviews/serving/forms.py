"""What requests and answers of the API hold."""

from typing import Annotated

from fastapi import File, Form, Query, UploadFile
from pydantic import BaseModel, Field, StringConstraints

TEXT = 512
Text = Annotated[str, StringConstraints(max_length=TEXT)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=TEXT, pattern=r"^[^\x00-\x1f\x7f]+$")]
PHOTO = "An image file: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF."
PhotoFile = Annotated[UploadFile, File(description=PHOTO)]
UrlForm = Annotated[
    str,
    Form(description="Where the photo is, instead of `photo`; if the server fetches from there.", max_length=2048),
]
CropForm = Annotated[
    str,
    Form(description="`left,top,right,bottom` of what is looked at, as shares of the sides.", max_length=80),
]
K = Annotated[int, Query(ge=1, le=200, description="How many products.")]
Where = Annotated[
    list[Text], Query(max_length=8, description="`COLUMN=VALUE`, `COLUMN!=VALUE`, `COLUMN<NUMBER`; all must hold.")
]
ModeForm = Annotated[str, Form(pattern="^(item|design)$", description="`item`, or `design`: any colour.")]
Mode = Annotated[str, Query(pattern="^(item|design)$", description="`item`, or `design`: any colour.")]


class Found(BaseModel):
    """A product that was found, by its most similar photo."""

    product_id: str
    photo: str
    score: float = Field(description="Cosine of the photos, up to 1.")
    probability: float | None = Field(description="Of the same product; null where nothing could be learnt.")
    facts: dict[str, str]


class Results(BaseModel):
    """Products, the nearest first."""

    mode: str
    results: list[Found]


class Regions(BaseModel):
    """What a photo's similarity hangs on."""

    window: tuple[float, float, float, float] = Field(
        description="What the encoder sees of the photo: left, top, right, bottom as shares of its sides."
    )
    fall: list[list[float]] = Field(
        description="By how much the similarity falls when a part is covered, row by row; below 0: it rises."
    )


class Why(BaseModel):
    """Which parts of two photos make them alike, each as the encoder is shown it."""

    score: float
    query: Regions
    match: Regions


class Item(BaseModel):
    """A photo of the store."""

    id: str
    product_id: str
    facts: dict[str, str]


class Items(BaseModel):
    """Some of the store's products, and how many there are."""

    total: int
    items: list[Item]


class Taken(BaseModel):
    """A photo that is safely in the store."""

    id: str
    product_id: str


class Deleted(BaseModel):
    """How many photos were there and are no longer."""

    deleted: int


class Vectors(BaseModel):
    """A photo's unit vectors, and the encoder's digest."""

    encoder: str
    vector: list[float]
    extra: dict[str, list[float]]


class Said(BaseModel):
    """An answer to a pair of `matches`."""

    ours: Id
    theirs: Id
    said: Annotated[str, StringConstraints(pattern="^(yes|no|unsure)$")]


class Standing(BaseModel):
    """What the answers promise so far."""

    yes: int
    no: int
    unsure: int
    pairs: int
    target: float
    low: float = Field(description="In 9 of 10 uses at least this share of pairs like those judged is right.")
    high: float
    score: float | None = Field(description="The score from which the target is promised; null: not yet.")
    accepted: int
    missing: int = Field(description="About how many more answers it takes.")
    curve: list[tuple[float, float]] = Field(description="Scores and probabilities learnt from the answers.")


class Shown(BaseModel):
    """A pair to be judged."""

    ours: str
    theirs: str
    query: str
    match: str
    score: float
    our_title: str
    their_title: str


class Reviewing(BaseModel):
    """The next pairs, and how the answers stand."""

    standing: Standing
    pairs: list[Shown]


class Rows(BaseModel):
    """Some rows of a table."""

    table: str
    start: int
    total: int
    columns: list[str]
    rows: list[dict[str, str | float | int | bool | None]]


class Place(BaseModel):
    """The map: all lists are of one length."""

    made: str
    columns: list[str]
    photos: list[str]
    products: list[str]
    x: list[float]
    y: list[float]
    values: list[str]


class Problem(BaseModel):
    """What is wrong, in one sentence."""

    detail: str
