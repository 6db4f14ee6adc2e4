"""The documentation is true: pages made from the code are current, links lead somewhere, commands run."""

import importlib.util
import re
import shlex
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

import natviews
from natviews.catalog import generate_catalog
from natviews.cli import app
from natviews.verbs import VERBS

ROOT = Path(__file__).parents[1]


class InThisProcess(ThreadPoolExecutor):
    """Studies' workers without their processes: loading torch five times takes longer than the studies."""

    def __init__(self, workers, context, initializer, initargs):
        super().__init__(1)


PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["commands.md", "methods.md", "python.md", "views.md"])
def test_pages_made_from_the_code_are_current(name):
    made = load(ROOT / "docs" / "generate.py").PAGES[name]()
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == made, "run: python docs/generate.py"


def test_every_command_and_every_public_name_is_documented():
    commands, python = (
        (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("commands.md", "python.md")
    )
    for verb in VERBS:
        assert f"## natviews {verb.__name__}\n" in commands
    for line in commands.splitlines():
        assert not line.startswith("- ") or ": " in line, f"no help: {line}"
    for name in natviews.__all__:
        assert f"## {name}\n" in python


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), target


def commands_in(page):
    """The `natviews ...` lines of a page's shell blocks, joined where they are continued."""
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip().startswith("natviews "):
                yield line.split("#")[0].strip()


STUDIED = {"mercari": "simsiam", "sea": "siamese"}
"""The one method of a study that is trained here; of others SimCLR."""


def test_the_commands_of_the_readme_run(tmp_path, monkeypatch, tiny_settings):
    """Every natviews line of the README's blocks, in its order, on a small shop in place of the reader's."""
    generate_catalog(tmp_path / "shop", products=80, seed=2, size=96)
    generate_catalog(tmp_path / "theirs", products=40, seed=3, size=96)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("natviews.studies.cells.ProcessPoolExecutor", InThisProcess)
    monkeypatch.setattr("natviews.encoders.quantising.LEAST", 0.0)  # a network that hardly learnt anything
    lines = list(commands_in(ROOT / "README.md"))
    assert {verb.__name__ for verb in VERBS} - {line.split()[1] for line in lines} == {"demo"}
    for line in lines:
        if "demo" in line.split()[:2] or "shared/data" in line:
            continue  # minutes long: `make demo` and the study of the real photos run them
        arguments = shlex.split(line)[1:]
        if arguments[0] == "train":
            arguments += [part for setting in tiny_settings for part in ("--set", setting)]
        if arguments[0] == "robustness":
            arguments += ["--only", "grey"]
        if arguments[0] == "study":
            arguments += ["--only", STUDIED.get(arguments[1], "simclr"), "--seeds", "1", "--epochs", "1"]
            arguments += ["--products", "40", "--vectors", "500"]
        if arguments[0] == "serve":
            assert_serves(arguments)
            continue
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, f"{line}: {done.output}\n{done.exception!r}"


def assert_serves(arguments):
    """It prints an address that answers, and ends when it is asked to."""
    command = [sys.executable, "-c", "from natviews.cli import main; main()", *arguments, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            address = process.stdout.readline().strip()
            assert urllib.request.urlopen(f"{address}healthz", timeout=60).read() == b"ok\n"
        finally:
            process.terminate()


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, run, catalog_path):
    from natviews.encoders import Encoder, embed_catalog

    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    embed_catalog(Encoder.load(run.encoder), natviews.Catalog.open(catalog_path), tmp_path / "embeddings.parquet")
    (tmp_path / "RUN").symlink_to(run.folder)
    (tmp_path / "shop").symlink_to(catalog_path.parent)
    monkeypatch.chdir(tmp_path)
    exec(compile(block.group(1), "README.md", "exec"), {})


def test_the_examples_run(tmp_path, catalog):
    load(ROOT / "examples" / "search_by_photo.py").main(tmp_path, products=40, epochs=1)
    sheet = tmp_path / "sheet.png"
    load(ROOT / "examples" / "own_views.py").main(catalog.photos[0].path, sheet)
    assert sheet.stat().st_size > 1000
