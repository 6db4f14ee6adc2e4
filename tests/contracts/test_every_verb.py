"""What holds for a command because it is one, and the path of a new user through all of them."""

import inspect
import json
import subprocess
import sys
import time

import pytest
from broken_photos import write_catalog
from typer.testing import CliRunner

from natviews.cli import app
from natviews.verbs import VERBS

every_verb = pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)


def natviews(*arguments):
    """A command in a process of its own."""
    command = [sys.executable, "-c", "from natviews.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@every_verb
def test_its_help_explains_every_parameter_it_takes(verb):
    done = CliRunner().invoke(app, [verb.__name__, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert done.exit_code == 0
    assert inspect.getdoc(verb).split(".")[0].split(":")[0][:40] in " ".join(done.output.split())


@every_verb
def test_its_body_is_short_because_the_api_does_the_work(verb):
    source = inspect.getsource(verb)
    body = source[source.index('"""', source.index('"""') + 3) + 3 :]
    statements = [line for line in body.splitlines() if line.strip()]
    assert len(statements) <= 18, verb.__name__  # 15 and the deferred imports


@every_verb
def test_an_unknown_option_is_refused(verb):
    assert natviews(verb.__name__, "--no-such-option").returncode == 2


def test_from_a_catalogue_to_a_search_in_five_commands(catalog_path, tmp_path, tiny_settings):
    settings = [part for setting in tiny_settings for part in ("--set", setting)]
    run, store = tmp_path / "run", tmp_path / "embeddings.parquet"

    checked = natviews("check", catalog_path, "--out", tmp_path, "--json")
    assert json.loads(checked.stdout)["products"] == 90

    trained = natviews("train", catalog_path, "--recipe", "demo", "--out", run, *settings)
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout.splitlines()[-1] == str(run / "report.html")

    embedded = natviews("embed", run, catalog_path, "--out", store)
    assert embedded.returncode == 0, embedded.stderr

    evaluated = natviews("evaluate", store, catalog_path, "--out", tmp_path / "evaluation")
    assert evaluated.returncode == 0, evaluated.stderr
    assert "trained" in evaluated.stdout and "histogram" in evaluated.stdout

    photo = catalog_path.read_text().splitlines()[5].split(",")[0]
    by_id = json.loads(natviews("search", store, photo, "-k", 4, "--json").stdout)
    by_file = json.loads(natviews("search", store, catalog_path.parent / photo, "-k", 5, "--json").stdout)
    assert by_file[0]["id"] == photo and by_file[0]["score"] == pytest.approx(1, abs=1e-3)
    assert [m["id"] for m in by_file[1:]] == [m["id"] for m in by_id]


def test_a_catalogue_of_twenty_kinds_of_broken_photos_goes_all_the_way(tmp_path, tiny_settings):
    path, bad = write_catalog(tmp_path / "shop", good_products=24)
    settings = [part for setting in [*tiny_settings, "training.batch=4"] for part in ("--set", setting)]
    run, store = tmp_path / "run", tmp_path / "out" / "embeddings.parquet"
    trained = natviews("train", path, "--recipe", "demo", "--out", run, *settings)
    embedded = natviews("embed", run, path, "--out", store)
    assert (trained.returncode, embedded.returncode) == (0, 0), trained.stderr + embedded.stderr
    evaluated = natviews("evaluate", store, path, "--out", tmp_path / "evaluation", "--split", "train")
    assert evaluated.returncode == 0, evaluated.stderr
    for quarantine in (run / "quarantine.csv", tmp_path / "out" / "quarantine.csv"):
        named = [line.split(",")[0] for line in quarantine.read_text().splitlines()[1:]]
        assert sorted(named) == sorted(bad)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "nowhere.csv"], "There is no catalogue at nowhere.csv"),
        (["train", "{catalog}", "--out", "{tmp}/r", "--recipe", "naturl"], "did you mean 'natural'?"),
        (
            ["train", "{catalog}", "--out", "{tmp}/r", "--recipe", "demo", "--set", "method.temprature=1"],
            "'temperature'",
        ),
        (["embed", "{tmp}", "{catalog}"], "There is no encoder in"),
        (["export", "{tmp}", "{tmp}/out"], "There is no encoder in"),
        (["evaluate", "{tmp}/none.parquet", "{catalog}"], "There are no embeddings at"),
        (["search", "{tmp}/none.parquet", "x.jpg"], "There are no embeddings at"),
        (["match", "{catalog}", "{catalog}"], "give --encoder RUN"),
        (["match", "{catalog}", "{catalog}", "--rule", "mutul"], "There is no rule 'mutul'"),
        (["prices", "{catalog}", "{catalog}", "--history", "{tmp}/none.csv"], "There is no price history at"),
        (["evaluate", "--matches", "{tmp}/none", "--truth", "{tmp}/none"], "There are no matches at"),
        (["views", "{catalog}", "--views", "skil"], "did you mean 'skill'?"),
        (["views", "{catalog}", "--out", "{tmp}/sheet.doc"], "name it .png"),
        (["study", "method"], "did you mean 'methods'?"),
        (["compare", "{tmp}", "{catalog}"], "There is no queries.parquet in"),
        (["explain", "simclrr"], "did you mean 'simclr'?"),
    ],
)
def test_a_mistake_gives_one_plain_sentence_and_exit_code_one(arguments, said, catalog_path, tmp_path):
    done = natviews(*(a.format(catalog=catalog_path, tmp=tmp_path) for a in arguments))
    assert done.returncode == 1
    sentence = done.stderr.splitlines()[-1]
    assert sentence.startswith("natviews: ") and said in sentence
    assert "Traceback" not in done.stderr


def test_searching_a_store_by_id_never_loads_torch(run, catalog, catalog_path, tmp_path):
    from natviews.encoders import Encoder, embed_catalog

    store = tmp_path / "e.parquet"
    embed_catalog(Encoder.load(run.encoder), catalog, store, location=str(run.folder))
    code = (
        "import sys; from natviews.cli import app\n"
        f"sys.argv = ['natviews', 'search', {str(store)!r}, {str(catalog.ids[0])!r}]\n"
        "try: app()\nexcept SystemExit: pass\n"
        "print('torch' in sys.modules, 'timm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"


def test_the_command_starts_quickly():
    natviews("--help")
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import natviews"], check=True)
    bare = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    assert (bare - begun) - (time.perf_counter() - bare) < 0.3


@pytest.mark.parametrize(
    "name", ["simclr", "dino", "skill", "identity", "jitter", "recall@1", "recall@90", "lidar", "natural"]
)
def test_explain_says_what_it_is_and_where(name):
    done = natviews("explain", name)
    assert done.returncode == 0 and name in done.stdout
    assert len(done.stdout) > 60


def test_a_contact_sheet_shows_every_policy(catalog_path, tmp_path):
    import cv2

    from natviews.views import POLICIES

    for name in POLICIES:
        out = tmp_path / f"{name}.png"
        done = CliRunner().invoke(
            app, ["views", str(catalog_path), "--views", name, "--size", "64", "--out", str(out)]
        )
        assert done.exit_code == 0, done.output
        assert cv2.imread(str(out)).std() > 20
