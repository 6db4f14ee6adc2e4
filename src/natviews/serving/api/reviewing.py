"""Pairs to be judged, and what the answers promise."""

from typing import Annotated

import pyarrow as pa
from fastapi import Depends, Query, Response

from natviews.serving.api.asking import Here, addresses, may_write
from natviews.serving.api.tables import csv_file
from natviews.serving.forms import Reviewing, Said, Shown, Standing
from natviews.serving.service import Service
from natviews.serving.tables import as_csv

router = addresses("review")
Target = Annotated[float, Query(gt=0, lt=1, description="The share of same items that is to be promised.")]
Begin = Annotated[
    float,
    Query(ge=0, lt=1, description="Where in the order to begin; several people so judge different pairs."),
]


@router.get("/match")
def pairs_to_judge(
    service: Here, target: Target = 0.95, k: Annotated[int, Query(ge=1, le=50)] = 1, begin: Begin = 0.0
) -> Reviewing:
    """The next pairs to judge, in an order of chance, and what the answers promise so far."""
    pairs = service.review().next(k, begin)
    return Reviewing(standing=standing(service, target), pairs=[Shown(**vars(pair)) for pair in pairs])


@router.post("/match", status_code=201, dependencies=[Depends(may_write)])
def judge(service: Here, answer: Said, target: Target = 0.95) -> Standing:
    """Keeps an answer to a pair; the last one counts."""
    service.review().say(answer.ours, answer.theirs, answer.said)
    service.figures.answers.labels(answer.said).inc()
    return standing(service, target)


def standing(service: Service, target: float) -> Standing:
    """How the answers stand."""
    now = service.review().standing(target)
    return Standing(
        yes=now.yes,
        no=now.no,
        unsure=now.unsure,
        pairs=now.pairs,
        target=target,
        low=now.low,
        high=now.high,
        score=now.promise.score if now.promise.kept else None,
        accepted=now.accepted,
        missing=now.promise.missing,
        curve=[] if now.curve is None else [(score, chance) for score, chance in now.curve.T.tolist()],
    )


@router.get("/match/answers.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def answers(service: Here) -> Response:
    """The answers that count, as `natviews match --labels` reads them; `unsure` is left out."""
    said = [answer for answer in service.review().answers() if answer.said != "unsure"]
    columns = {
        "ours": [answer.ours for answer in said],
        "theirs": [answer.theirs for answer in said],
        "same": [int(answer.said == "yes") for answer in said],
    }
    kinds = {"ours": pa.string(), "theirs": pa.string(), "same": pa.int8()}
    table = pa.table({name: pa.array(values, kinds[name]) for name, values in columns.items()})
    return csv_file(as_csv(table), "answers.csv")
