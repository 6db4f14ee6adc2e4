"""Text in a CSV that a spreadsheet would take for a formula: an apostrophe before it makes it text."""

import pyarrow as pa
import pyarrow.compute

FORMULA = r"^'*[=+\-@\t\r]"
"""With the apostrophes that it may begin with already: one more than there were is what `unguarded` takes off."""


def guarded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text for a spreadsheet."""
    formula = pa.compute.match_substring_regex(column, FORMULA)
    return pa.compute.if_else(formula, pa.compute.binary_join_element_wise("'", column, ""), column)


def unguarded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The text as it was before it was guarded."""
    return pa.compute.replace_substring_regex(column, r"^'('*[=+\-@\t\r])", r"\1")
