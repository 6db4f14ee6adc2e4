"""The house: imports point down only, and siblings never import each other."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "natviews"
LAYERS = [
    {"types", "config", "files", "progress"},
    {"catalog", "views", "index", "evaluation"},
    {"encoders"},
    {"methods"},
    {"training", "matching"},
    {"report"},
    {"studies"},
    {"serving"},
    {"verbs"},
    {"cli"},
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
BELOW_TORCH = LAYERS[0] | LAYERS[1]
FOR_TRAINING_ALONE = SOURCE / "views" / "accelerator"
"""Lies below the torch line and uses torch all the same: only training imports it, and when it is asked for."""
FILES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def room_of(path):
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield node.module


def test_every_room_has_its_level():
    assert {room_of(path) for path in FILES} == set(LEVEL)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down_and_never_to_a_sibling(path):
    here = room_of(path)
    for module in imports_of(path):
        parts = module.split(".")
        if parts[0] != "natviews" or len(parts) == 1 or parts[1] == here:
            continue
        within_the_ground = LEVEL[here] == LEVEL[parts[1]] == 0
        assert LEVEL[parts[1]] < LEVEL[here] or within_the_ground, f"{path} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_rooms_above_the_torch_line_import_torch(path):
    if room_of(path) in BELOW_TORCH and FOR_TRAINING_ALONE not in path.parents:
        assert not [m for m in imports_of(path) if m.split(".")[0] in ("torch", "timm", "lightning")]


def test_only_training_imports_the_renderer_in_torch():
    others = [path for path in FILES if FOR_TRAINING_ALONE not in path.parents]
    importing = {path for path in others if any("views.accelerator" in name for name in imports_of(path))}
    assert {room_of(path) for path in importing} <= {"training"}


def test_methods_see_neither_catalogue_nor_labels():
    for path in SOURCE.glob("methods/*.py"):
        rooms = {module.split(".")[1] for module in imports_of(path) if module.startswith("natviews.")}
        assert rooms <= {"methods", "types"}, path
        from_types = [
            alias.name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom) and node.module == "natviews.types"
            for alias in node.names
        ]
        assert set(from_types) <= {"NatviewsError"}, path


def loaded_by(code):
    """The top-level modules that some code loads, in a process of its own."""
    program = f"{code}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_natviews_does_nothing_else():
    assert not loaded_by("import natviews") & {"torch", "numpy", "cv2", "pyarrow", "timm"}


def test_the_commands_are_declared_without_torch():
    assert "torch" not in loaded_by("import natviews.cli")


def test_a_search_by_id_starts_without_torch_or_compiled_code():
    loaded = loaded_by("import natviews.index\nimport natviews.report\nimport natviews.report.terminal")
    assert not loaded & {"torch", "numba"}


def test_catalogue_index_and_evaluation_do_without_torch():
    rooms = "catalog", "views", "index", "evaluation"
    assert "torch" not in loaded_by("\n".join(f"import natviews.{room}" for room in rooms))


def test_every_public_name_is_there():
    import natviews

    assert natviews.__all__ == sorted(natviews.__all__)
    assert len(natviews.__all__) <= 25
    for name in natviews.__all__:
        assert getattr(natviews, name).__doc__, name
