"""The product: one function per command, files in, files out. What a verb does, the Python API does.

Imports are inside the verbs: `natviews search` must answer before torch could even be loaded.
"""

from natviews.verbs.catalogs import check, views
from natviews.verbs.deciding import attributes, colourways, gaps, groups, match, opportunities, prices
from natviews.verbs.demo import demo
from natviews.verbs.encoders import embed, export, quantise, train
from natviews.verbs.finding import index, search
from natviews.verbs.judging import compare, evaluate, explain, probe, robustness, study
from natviews.verbs.serving import serve

JUDGING = (evaluate, compare, probe, robustness)
FINDING = (index, search)
DECIDING = (match, prices, gaps, opportunities, groups, colourways, attributes)
VERBS = (demo, check, views, train, embed, export, quantise, *JUDGING, *FINDING, *DECIDING, serve, study, explain)
