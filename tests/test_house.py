"""Design rules as tests: each failure says what to do."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import isthmus
from isthmus import zoo

SOURCE = Path(isthmus.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
NAMES = [str(path.relative_to(SOURCE)) for path in FILES]
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in zip(NAMES, FILES, strict=True)}

# From the bottom up: a file may import from its own row and from the rows above it here, never from those below.
LAYERS = (
    ("errors", "plain", "threads", "recording"),
    ("_constraints", "_files", "_signatures"),
    ("_spec", "coding", "data", "distortion", "threshold"),
    ("nn", "kernels", "handmade"),
    ("priors",),
    ("codes", "corruptions", "decoders", "encoders", "likelihoods", "networks", "passes"),
    ("jacobians", "penalties", "foreign"),
    ("autoencoder", "classification", "regression"),
    ("assembly", "inference", "scaling", "saving", "_inputs", "_groups", "bounds", "paths"),
    ("training",),
    ("progress",),
    ("_fitting",),
    ("fitted", "generative", "generating", "tangents"),
    ("estimators",),
    ("supervised",),
    ("anomaly", "zoo", "mixtures", "populations", "boltzmann", "classifier", "regressor", "beyond", "samplers"),
    ("pretraining", "enlarging", "stacking"),
    ("compression", "loading", "policies", "trials"),
    ("evidence", "seeing"),
    ("report",),
    ("runs", "compare", "sweeping"),
    ("lab",),
    ("cli", "__init__", "__main__"),
)
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row}
# `to_html` draws, `fit(watch=...)` looks: what lies above is loaded where it is called, and only there.
LAZY_UPWARD = {("evidence", "report"), ("_fitting", "evidence")}


def unit(name):
    """The file or the folder right under isthmus that a file belongs to."""
    return name.partition("/")[0].removesuffix(".py")


def is_typing_only(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(tree, top=True):
    """Every import of isthmus' own in a tree as (what, whether it is done when the file is loaded)."""
    for node in ast.iter_child_nodes(tree):
        if is_typing_only(node):
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "isthmus":
            names = [alias.name for alias in node.names] if node.module == "isthmus" else [node.module.split(".")[1]]
            yield from ((name, top) for name in names)
        elif isinstance(node, ast.Import):
            yield from ((a.name.split(".")[1], top) for a in node.names if a.name.startswith("isthmus."))
        else:
            yield from imports(node, top and not isinstance(node, ast.FunctionDef))


def test_every_file_has_its_place():
    missing = sorted({unit(name) for name in NAMES} - set(RANK))
    assert not missing, f"say in LAYERS of tests/test_house.py where {missing} belong"


@pytest.mark.parametrize("name", NAMES)
def test_arrows_point_down(name):
    here = unit(name)
    for target, at_load in imports(TREES[name]):
        if target not in RANK:  # a name of isthmus itself, such as isthmus.__version__
            continue
        if (here, target) in LAZY_UPWARD:
            assert not at_load, f"{name} must import isthmus.{target} within a function, not when it is loaded"
            continue
        assert RANK[target] <= RANK[here], f"{name} imports isthmus.{target}, which lies above it: turn the arrow round"


def test_the_composition_knows_no_model():
    source = (SOURCE / "autoencoder.py").read_text(encoding="utf-8")
    calls = [ast.unparse(node.func) for node in ast.walk(TREES["autoencoder.py"]) if isinstance(node, ast.Call)]
    assert "isinstance" not in calls, "autoencoder.py asks what fills a slot: let the part answer by a method instead"
    words = {node.id for node in ast.walk(TREES["autoencoder.py"]) if isinstance(node, ast.Name)}
    words |= {node.attr for node in ast.walk(TREES["autoencoder.py"]) if isinstance(node, ast.Attribute)}
    named = {word for word in words if word.lower() in zoo.KINDS}
    assert not named, f"autoencoder.py names the kinds {sorted(named)}: what they need belongs to their parts"
    assert not [kind for kind in zoo.KINDS if kind in source.lower()], "autoencoder.py speaks of a kind"


@pytest.mark.parametrize(("name", "path"), list(zip(NAMES, FILES, strict=True)), ids=NAMES)
def test_files_are_short_and_say_what_they_are(name, path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 400, f"{name} has {lines} lines: make it a folder, one idea a file"
    described = ast.get_docstring(TREES[name]) or ""
    assert described.strip(), f"{name} needs a docstring whose first line names its one idea"


def constructors():
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
                        yield f"{name}:{node.name}", inner.args


def test_constructors_are_small():
    """The estimators' flat faces are the one exception."""
    large = {
        place: len(args.posonlyargs + args.args + args.kwonlyargs) - 1
        for place, args in constructors()
        if len(args.posonlyargs + args.args + args.kwonlyargs) - 1 > 7
    }
    large.pop("estimators.py:Autoencoder")
    large.pop("classifier.py:Classifier")
    large.pop("regressor.py:Regressor")
    large.pop("boltzmann.py:BoltzmannMachine")
    assert not large, f"{large} take more than seven arguments: pass built parts in"


def test_the_kinds_are_small_functions():
    for kind, make in zoo.KINDS.items():
        statements = ast.parse(inspect.getsource(make)).body[0].body
        assert len(statements) <= 3, f"zoo.{kind} has logic of its own: put it into a part"


def calls_of(*endings):
    return {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(endings)
    }


def test_there_is_one_training_loop():
    """Gradients of the loss are taken in one place, weights are moved in one, and one loop asks for both."""
    assert calls_of(".backward", "torch.optim.AdamW") == set(), "train through training.train"
    kernels = calls_of("torch._fused_adamw_", "torch._fused_sgd_")
    assert kernels | {"training/optimiser.py"} == {"training/optimiser.py"}
    asked = calls_of("autograd.grad")
    assert asked == {"training/steps.py", "jacobians.py", "seeing/pulling.py", "evidence/backwards.py"}, (
        "losses are differentiated in training/steps.py alone"
    )
    assert calls_of(".optimiser.step") == {"training/steps.py"}
    assert calls_of("epoch.train", "steps.train_all") == {"training/loop.py", "training/epochs.py"}, (
        "train through training.train"
    )


def test_nothing_unsafe_is_loaded():
    """No pickles, no evaluation: what a file says is data."""
    banned = {"eval", "exec", "pickle.load", "pickle.loads", "torch.load", "joblib.load", "yaml.load"}
    for name, tree in TREES.items():
        found = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)} & banned
        assert not found, f"{name} calls {sorted(found)}: read tensors with safetensors and the rest with JSON"


def test_the_global_generators_are_never_seeded():
    for name, tree in TREES.items():
        calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        found = calls & {"np.random.seed", "random.seed", "torch.seed", "torch.use_deterministic_algorithms"}
        assert not found, f"{name} calls {sorted(found)}: take a generator of your own"


HEAVY = ("torch", "typer", "jinja2", "matplotlib", "sklearn", "rich", "pyarrow")


def loaded(statement):
    code = f"import sys\n{statement}\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_importing_isthmus_is_light():
    assert loaded("import isthmus; dir(isthmus); isthmus.__version__") == []


def test_the_estimator_needs_neither_the_cli_nor_the_report():
    found = loaded("from isthmus import Autoencoder, AnomalyDetector, zoo, load, evidence")
    assert not set(found) & {"typer", "jinja2", "matplotlib"}
