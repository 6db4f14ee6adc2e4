"""What the test split says of an encoder, photo by photo, and the file that keeps it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from natviews.files import whole_file

Kind = tuple[str, str]
"""What is measured: ("features", "map@r"), ("probe", "pattern")."""
FEATURES, HEAD, PROBE = "features", "head", "probe"


@dataclass(frozen=True)
class Answers:
    """One figure, photo by photo: `photos` (Q,) ids, `products` (Q,) and `values` (Q,) whose mean it is."""

    photos: np.ndarray
    products: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Judged:
    """What the test split says of a cell: (kind, name) -> answers, such as ("head", "map@r").

    Kinds: `features` before any head, through the closed-form `head`, and `probe`, whose names are attributes;
    and those of `looks`.
    `seconds` is what training took, `kept` the share of it after which the encoder that was kept was made: 0
    where no trained one was better on `val` than the untrained one.
    """

    answers: dict[Kind, Answers]
    seconds: float = 0.0
    kept: float = 0.0

    def write(self, path: Path, key: str) -> None:
        """Writes it as numpy arrays, whole or not at all."""
        arrays = {"key": np.array(key), "seconds": np.array(self.seconds), "kept": np.array(self.kept)}
        for (kind, name), answers in self.answers.items():
            for part in ("photos", "products", "values"):
                arrays[f"{kind}/{name}/{part}"] = getattr(answers, part)
        with whole_file(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    @classmethod
    def read(cls, path: Path, key: str) -> "Judged | None":
        """What was written there under that key, if it was."""
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as arrays:
            if str(arrays["key"]) != key:
                return None
            names = [tuple(name.rsplit("/", 1)[0].split("/", 1)) for name in arrays if name.endswith("/values")]
            answers = {
                (kind, name): Answers(
                    *(arrays[f"{kind}/{name}/{part}"] for part in ("photos", "products", "values"))
                )
                for kind, name in names
            }
            return cls(answers, float(arrays["seconds"]), float(arrays["kept"]))
