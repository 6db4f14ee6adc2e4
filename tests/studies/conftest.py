"""A tiny study, and a pool that works in this process: loading torch in another takes longer than the study."""

from concurrent.futures import ThreadPoolExecutor

import pytest


class InThisProcess(ThreadPoolExecutor):
    def __init__(self, workers, context, initializer, initargs):
        super().__init__(1)


@pytest.fixture(scope="package")
def pool():
    return InThisProcess


@pytest.fixture(scope="package")
def studied(catalog, tmp_path_factory, pool):
    """The folder of a finished study of two methods, and what was called for it."""
    from natviews.studies import Asked, cells, study_methods

    out = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "ProcessPoolExecutor", pool)
        study_methods(
            catalog, out, Asked(seeds=1, only=["simclr", "rotnet"], epochs=1, command="natviews study methods")
        )
    return out
