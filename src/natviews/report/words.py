"""What a page calls things, and what it says of them, for whoever looks after the shop."""

NAMES = {
    "recall@1": "Recall@1",
    "recall@5": "Recall@5",
    "recall@10": "Recall@10",
    "map@r": "MAP@R",
    "r_precision": "R-precision",
    "auc": "AUC",
    "within": "Within",
    "between": "Between",
    "gap": "Gap",
    "d_prime": "d'",
}
MEANINGS = {
    "Recall@k": "The share of photos that find another photo of their product among the first k results.",
    "MAP@R": "How well all the other photos of the product come first: 1 when nothing else is mixed in.",
    "R-precision": "A product with R other photos: the share of the first R results that are of that product.",
    "AUC": "How often another photo of the product is rated more similar than a photo of another product; "
    "0.5 is chance.",
    "Within, between": "The mean similarity of photos of the same product, and of different products. "
    "The wider apart the two, the easier to tell products from one another.",
    "Gap, d'": "Within less between, as it is and in standard deviations.",
    "Interval": "The range in which the figure lies with 95 % confidence, found by resampling products. "
    "A difference counts only when its interval leaves out zero.",
}
ROW_NOTES = {
    "histogram": "colours only, no network",
    "untrained": "the network with random weights",
    "frozen": "the network as it was before training",
    "frozen+whitening": "the same, with its vectors evened out",
    "trained, no head": "after training, without its last step",
    "trained": "after training on these photos",
}
HEADLINES = {
    "won": "Training helped",
    "lost": "Training made it worse",
    "mixed": "Better in part, worse in part",
    "unclear": "No difference can be told",
    "none": "Nothing to compare with",
}
SIGNS = {"better": "▲", "worse": "▼", "differs": "◆", "open": "○"}
SPLIT_NAMES = {"train": "photos to learn from", "val": "photos to choose by", "test": "photos to measure with"}
NO_DIRECTION = ("within", "between")
"""Figures of which neither more nor less is better by itself."""
