"""What a judgement of robustness is written as: figures, a table, curves, and sheets of gains and losses."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from natviews.files import whole_file
from natviews.report.disturbing import CLEAN
from natviews.report.kinds import kind_panels
from natviews.report.panels import panels_figure
from natviews.report.robustness import SHEET_ROWS, Comparison, Judged, Robustness
from natviews.report.sheet import contact_sheet
from natviews.report.views_sheet import write_picture

NOTES = {
    "Recall@1": "Share of disturbed photos whose nearest clean photo is another of their product, with "
    "intervals over products. `*` marks disturbances that no policy here trains on.",
    "Copies": "The same when the disturbed photo itself is what is to be found (copy detection): an easier task.",
    "Additional": "First matches accepted at one precision, set on the other half of products. *Gained*: "
    "found by {ours}, missed by {baseline}; *lost*: the other way round. p: McNemar's exact test over queries, "
    "and over products, each counted once; photos of a product are not independent: the second is the honest one.",
}


def write_robustness(found: Robustness, judged: Judged, folder: Path, *, seed: int = 0) -> Path:
    """Writes `metrics.json`, `robustness.md`, `curves.svg` and `gallery/`; the table's path."""
    with whole_file(folder / "metrics.json") as temporary:
        temporary.write_text(json.dumps([asdict(m) for m in found.metrics], indent=1), encoding="utf-8")
    with whole_file(folder / "curves.svg") as temporary:
        temporary.write_text(curves(found), encoding="utf-8")
    for name, sheet in sheets(found, judged, seed=seed).items():
        write_picture(sheet, folder / "gallery" / f"{name}.png")
    with whole_file(folder / "robustness.md") as temporary:
        temporary.write_text(markdown(found), encoding="utf-8")
    return folder / "robustness.md"


def markdown(found: Robustness) -> str:
    """The tables of a judgement of robustness."""
    said = {"ours": found.ours, "baseline": found.baseline}
    parts = [f"# {found.title or 'Robustness'}"]
    parts += [f"- {name}: {value}" for name, value in found.facts.items()]
    parts += ["", "## Recall@1", NOTES["Recall@1"], "", _figures(found, "recall@1", with_clean=True)]
    parts += ["", "## Recall@1 lost to the disturbance, as a share", "", _figures(found, "drop@1")]
    parts += ["", f"## {found.ours} over {found.baseline}", NOTES["Additional"].format(**said), ""]
    parts += [_additional(found), "", "## Copy detection", NOTES["Copies"], "", _figures(found, "copy@1")]
    return "\n".join(parts) + "\n"


def _figures(found: Robustness, name: str, *, with_clean: bool = False) -> str:
    lines = [f"| disturbance | {' | '.join(found.rows)} |", "|---" * (len(found.rows) + 1) + "|"]
    slices = [(CLEAN, "")] if with_clean else []
    slices += [(c.disturbance.name, "" if c.disturbance.is_trained else " *") for c in found.comparisons]
    for slice, mark in slices:
        cells = [str(found.metric(row, name, slice) or "") for row in found.rows]
        lines.append(f"| {slice}{mark} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _additional(found: Robustness) -> str:
    lines = [
        "| disturbance | precision wanted | realised, ours | realised, baseline | gained | lost "
        "| additional recall | missed recall | p, queries | p, products |",
        "|---" * 10 + "|",
    ]
    for comparison in found.comparisons:
        name = comparison.disturbance.name
        for precision, additional in comparison.additional.items():
            end = f"@p{round(100 * precision)}"
            realised = [found.metric(row, f"precision{end}", name) for row in (found.ours, found.baseline)]
            difference = f"{found.ours}-{found.baseline}"
            figures = [found.metric(difference, f"{f}{end}", name) for f in ("additional_recall", "missed_recall")]
            cells = [name, f"{precision:.0%}", *(f"{m.value:.3f}" if m else "none accepted" for m in realised)]
            cells += [str(int(additional.gained.sum())), str(int(additional.lost.sum())), *map(str, figures)]
            lines.append(
                f"| {' | '.join([*cells, *(_p(p) for p in (additional.p_queries, additional.p_products))])} |"
            )
    return "\n".join(lines)


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def curves(found: Robustness) -> str:
    """Recall@1 over the strength of each disturbance, a panel for each kind: an SVG document."""
    panels = kind_panels(found.metrics, [c.disturbance for c in found.comparisons])
    return panels_figure("Recall@1 of disturbed photos", panels, emphasised=found.ours)


def sheets(found: Robustness, judged: Judged, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Name -> contact sheet of queries gained, and of queries lost, under the strongest disturbance of each
    kind."""
    strongest = {comparison.disturbance.kind: comparison for comparison in found.comparisons}
    made = {}
    for kind, comparison in strongest.items():
        additional = next(iter(comparison.additional.values()))
        for word, chosen in (("gained", additional.gained), ("lost", additional.lost)):
            if chosen.any():
                made[f"{kind}-{word}"] = _sheet(found, judged, comparison, np.flatnonzero(chosen), word, seed)
    return made


def _sheet(
    found: Robustness, judged: Judged, comparison: Comparison, queries: np.ndarray, word: str, seed: int
) -> np.ndarray:
    """Each query disturbed, what ours found first, what the baseline found first, and a right photo."""
    ours, baseline = (comparison.answers[row] for row in (found.ours, found.baseline))
    _, first = np.unique(ours.products[queries], return_index=True)  # no product twice
    queries = queries[np.sort(first)][:SHEET_ROWS]
    products = judged.packed.catalog.product_ids
    shown = list(judged.disturbed(ours.rows[queries], comparison.disturbance, seed))
    rows, labels = [], []
    for query, photo in zip(queries.tolist(), shown, strict=True):
        pictures, texts = [photo, judged.packed.pixels(int(ours.rows[query]))], ["asks", "undisturbed"]
        both = next(iter(comparison.additional.values()))
        for name, answers, part in ((found.ours, ours, both.ours), (found.baseline, baseline, both.baseline)):
            row = int(answers.neighbours[query, 0])
            is_right = products[row] == ours.products[query]
            pictures.append(judged.packed.pixels(row))
            said = f"{'right' if is_right else 'wrong'}, {'accepted' if part.accepted[query] else 'refused'}"
            texts.append(f"{name}: {said}, {answers.scores[query, 0]:.2f}")
        rows.append(pictures)
        labels.append(texts)
    title = f"{comparison.disturbance.name}: {word} by {found.ours} over {found.baseline}"
    return contact_sheet(rows, labels, [str(p) for p in ours.products[queries]], title=title)
