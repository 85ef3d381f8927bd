"""The frame: what holds is computed from numbers, settings change them, exit codes tell."""

from __future__ import annotations

import ast
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from isthmus import lab
from isthmus.cli import main
from isthmus.errors import SettingError
from isthmus.lab import EXPERIMENTS, Experiment, Measured, Protocol, chosen, holds, registry, run, write_gallery
from isthmus.lab.captions import caption, described

COIN = Experiment(
    name="coin",
    part="I",
    claim="A coin has two sides.",
    lecture="coins",
    reference="",
    measure=lambda settings, seeds: Measured({"sides": settings["sides"], "tosses": len(seeds)}),
    expected={"sides": ("==", 2)},
    settings={"sides": 2, "weight": 1.0, "sizes": (1, 2)},
    full={"sides": 3},
    seeds=7,
)


@pytest.mark.parametrize(
    ("value", "op", "bound", "answer"),
    [
        (1, "<", 2, True),
        (2, "<", 2, False),
        (2, "<=", 2, True),
        (2, "==", 2, True),
        (3, ">=", 2, True),
        (2, ">", 2, False),
        (math.nan, "<=", 2, False),
        (math.nan, ">=", 2, False),
    ],
)
def test_holds(value, op, bound, answer):
    assert holds({"x": value, "unasked": 0}, {"x": (op, bound)}) is answer


def test_what_was_not_measured_is_a_fault_of_the_experiment():
    with pytest.raises(KeyError, match="y"):
        holds({"x": 1}, {"y": ("<", 2)})


def test_result_and_files(tmp_path):
    result = run(COIN, Protocol(), tmp_path)
    assert result.pop("seconds") >= 0
    assert result == {
        "name": "coin",
        "part": "I",
        "claim": "A coin has two sides.",
        "lecture": "coins",
        "reference": "",
        "protocol": "quick",
        "command": "isthmus lab run coin",
        "code": "src/tests/lab/test_frame.py",
        "seeds": 7,
        "settings": {"sides": 2, "weight": 1.0, "sizes": [1, 2]},
        "measured": {"sides": 2.0, "tosses": 7.0},
        "samples": {},
        "series": {},
        "expected": {"sides": ["==", 2]},
        "missed": [],
        "holds": True,
        "figures": [],
        "pictures": [],
    }
    assert json.loads((tmp_path / "coin.json").read_text())["holds"] is True
    failed = run(COIN, Protocol(settings={"sides": 1}), tmp_path)
    assert (failed["missed"], failed["holds"]) == (["sides"], False)


def test_the_command_says_how_it_was_run():
    protocol = Protocol(True, 3, {"sides": 1, "rule": "two words", "sizes": (8, 0.5), "share": False, "rate": 1e-5})
    assert lab.introduced(COIN, protocol)["command"] == (
        "isthmus lab run coin --full --seeds 3 --set sides=1 --set 'rule=two words' --set sizes=8,0.5 "
        "--set share=false --set rate=1e-05"
    )


def test_code_is_the_file_of_the_experiment():
    assert lab.introduced(lab.find("linear-pca"), Protocol())["code"] == "src/isthmus/lab/linear_pca.py"


def tossed(figure):
    left, right = figure.subplots(1, 2)
    left.plot([1, 2], label="heads")
    left.set(xlabel="toss", ylabel="share", title="Fair\ncoins")
    left.legend()
    right.imshow([[0, 1]])
    right.set_title("Foul\nA table")
    figure.legend(["one", "two"])


def test_pictures_are_put_into_words(tmp_path):
    figure = Figure()
    tossed(figure)
    assert caption(figure) == "Fair coins; Foul. A table"
    assert described(figure) == ("Fair coins, share against toss, legend: heads; Foul. A table; legend: one")
    figure.suptitle("Coins\nfall")
    assert caption(figure) == "Coins fall"
    drawing = replace(COIN, measure=lambda settings, seeds: Measured({"sides": 2}, {"tosses": tossed}))
    result = run(drawing, Protocol(), tmp_path)
    (picture,) = result["pictures"]
    assert picture["caption"] == "Fair coins; Foul. A table"
    assert result["figures"] == [picture["path"]] == [str(tmp_path / "coin-tosses.png")]
    assert (tmp_path / "coin-tosses.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("n", "named"), [(2, "a0, a1"), (5, "a0, a1, a2 and 2 more")])
def test_pictures_of_a_run_that_does_not_hold_say_so(n, named, tmp_path):
    keys = [f"a{i}" for i in range(n)]
    drawing = replace(
        COIN,
        measure=lambda settings, seeds: Measured(dict.fromkeys(keys, 0), {"tosses": tossed}),
        expected=dict.fromkeys(keys, (">", 1)),
    )
    (picture,) = run(drawing, Protocol(), tmp_path)["pictures"]
    assert picture["caption"] == f"Fair coins; Foul. A table (the claim fails in this run, which missed {named})"
    assert (imread(picture["path"])[..., :3] @ [1, -1, 0] > 0.5).any()  # it stands there in red


def test_settings_seeds_and_the_full_protocol_change_it(tmp_path):
    assert run(COIN, Protocol(settings={"sides": 1}), tmp_path)["holds"] is False
    assert run(COIN, Protocol(seeds=2), tmp_path)["measured"]["tosses"] == 2
    full = run(COIN, Protocol(full=True), tmp_path)
    assert (full["protocol"], full["measured"]["sides"], full["holds"]) == ("full", 3, False)
    changed = run(COIN, Protocol(settings={"weight": 3, "sizes": 5}), tmp_path)["settings"]
    assert (changed["weight"], changed["sizes"]) == (3.0, [5])


def test_the_full_protocol_may_ask_for_other_numbers(tmp_path):
    edge = replace(COIN, expected_full={"sides": (">", 2)})
    assert edge.bounds(full=False) is COIN.expected
    assert COIN.bounds(full=True) is COIN.expected
    found = [run(edge, Protocol(full=full), tmp_path) for full in (False, True)]
    assert [(one["expected"], one["holds"]) for one in found] == [
        ({"sides": ["==", 2]}, True),
        ({"sides": [">", 2]}, True),
    ]


def test_the_full_protocol_has_files_of_its_own(tmp_path):
    drawn = replace(COIN, measure=lambda settings, seeds: Measured({"sides": 2}, {"tosses": tossed}))
    for full in (True, False):
        run(drawn, Protocol(full=full), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("coin-full-tosses.png", "coin-full.json", "coin-tosses.png", "coin.json")
    ]


def divided(settings, seeds):
    return Measured({"sides": 4 // settings["sides"]} | ({} if len(seeds) == 1 else {"tosses": len(seeds)}))


FAULTS = [
    (
        Protocol(settings={"sides": 0}),
        "coin cannot be run so (ZeroDivisionError: integer division or modulo by zero); in the lab; near sides=2",
    ),
    (Protocol(seeds=1), "coin cannot be run so (KeyError: 'tosses'); in the lab; near seeds=7"),
    (
        Protocol(True, 1, {"sides": 0, "sizes": 3}),
        (
            "coin cannot be run so (ZeroDivisionError: integer division or modulo by zero); in the lab; "
            "near sides=3, sizes=1,2, seeds=7"
        ),
    ),
]


@pytest.mark.parametrize(("protocol", "said"), FAULTS)
def test_settings_that_it_cannot_be_run_with_are_bad_input(protocol, said, tmp_path):
    coin = replace(COIN, measure=divided, expected={"sides": ("==", 2), "tosses": (">", 0)})
    with pytest.raises(SettingError) as caught:
        run(coin, protocol, tmp_path)
    assert str(caught.value) == said
    assert not list(tmp_path.iterdir())


def test_a_fault_under_its_own_settings_is_its_own(tmp_path):
    with pytest.raises(ZeroDivisionError):
        run(replace(COIN, measure=divided, settings={"sides": 0}), Protocol(), tmp_path)


PART_I = (
    *("neuron", "perceptron", "glm", "backprop", "expansion", "svm", "xor", "universal-approximation"),
    *("depth-oscillation", "vanishing-gradients", "saturation", "rectifier", "pretraining", "convolution"),
    *("imagenet-era", "why-now", "feature-engineering", "feature-visualisation"),
)
PART_II = (
    *("linear-pca", "mitchell", "undercomplete", "memorisation", "overcomplete", "contractive", "tangents", "sparse"),
    *("denoising", "variational", "disentangling", "multilevel", "convolutional", "alignment", "deepfake"),
    *("classification", "clustering", "reinforcement", "compression"),
)


def test_the_experiments_stand_in_the_order_of_the_lecture():
    names = [experiment.name for experiment in EXPERIMENTS]
    assert names == [name for name in (*PART_I, *PART_II) if name in names]
    assert {one.name: one.part for one in EXPERIMENTS} == {name: "I" if name in PART_I else "II" for name in names}


def test_part_i_is_whole():
    assert [one.name for one in EXPERIMENTS if one.part == "I"] == list(PART_I)


FILES = sorted({Path(one.measure.__code__.co_filename) for one in EXPERIMENTS})


def test_each_experiment_is_a_file_of_its_name():
    assert [path.stem.replace("_", "-") for path in FILES] == sorted(one.name for one in EXPERIMENTS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_experiment_is_a_page(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert 60 <= lines <= 150, f"{path.name} has {lines} lines of 60 to 150: what is not the page is the library's"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_experiment_uses_public_parts(path):
    """What stands behind an underscore, in a module's path or as one of its names, is not for users."""
    used = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("isthmus"):
            used |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            used |= {alias.name for alias in node.names if alias.name.startswith("isthmus")}
    private = {name for name in used if any(part.startswith("_") for part in name.split("."))}
    assert not private, f"{path.name} imports {sorted(private)}: make what it needs a public part of the library"


def test_the_lab_is_there_without_any_extra():
    """Packages that an experiment needs are imported when it is run, so that the others run without them."""
    extras = dict.fromkeys(("matplotlib", "jinja2", "PIL", "skimage", "gymnasium", "pyarrow", "av"))
    code = f"import sys\nsys.modules.update({extras})\nfrom isthmus import lab\nprint(len(lab.EXPERIMENTS))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{len(EXPERIMENTS)}\n", "")


def test_experiments_are_chosen_by_name_and_part():
    def names(*chosen):
        return [one.name for one in chosen]

    assert names(*chosen(["linear-pca", "convolution", "linear-pca"])) == ["convolution", "linear-pca"]
    assert chosen(["all"]) == EXPERIMENTS
    assert chosen(["all"], "II") == tuple(one for one in EXPERIMENTS if one.part == "II")
    assert names(*chosen(["convolution", "linear-pca"], "I")) == ["convolution"]


@pytest.mark.parametrize(
    ("names", "part", "said"),
    [
        (["linear-pac"], None, "no experiment called 'linear-pac'; in the lab; did you mean 'linear-pca'?"),
        (["all"], "III", "no part 'III' of the lecture; in the lab; one of I, II"),
        (["linear-pca"], "I", "nothing called linear-pca in part I; in the lab"),
    ],
)
def test_what_cannot_be_chosen_is_one_line(names, part, said):
    with pytest.raises(SettingError) as caught:
        chosen(names, part)
    assert str(caught.value) == said


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_the_full_protocol_changes_known_settings_to_their_like(experiment):
    known = {name: type(value) for name, value in experiment.settings.items()}
    assert {name: type(value) for name, value in experiment.full.items()}.items() <= known.items()


@pytest.fixture
def experiments(monkeypatch, tmp_path):
    """Puts experiments in the place of the lab's own."""
    monkeypatch.chdir(tmp_path)

    def put(*ours):
        monkeypatch.setattr(registry, "EXPERIMENTS", ours)
        monkeypatch.setattr(lab, "EXPERIMENTS", ours)

    put(COIN)
    return put


@pytest.mark.usefixtures("experiments")
def test_exit_codes(capsys):
    assert main(["lab", "run", "coin", "--json"]) == 0
    assert main(["lab", "run", "coin", "--set", "sides=1", "--json"]) == 1
    capsys.readouterr()
    assert main(["lab", "run", "coin", "--set", "sides=1"]) == 1
    out, err = capsys.readouterr()
    assert ("== 2 ✕" in out, err) == (True, "")
    assert main(["lab", "run", "coin", "--seeds", "0"]) == 2
    assert capsys.readouterr().err == "isthmus: seeds must be a whole number >= 1; got 0; in the lab\n"


@pytest.mark.usefixtures("experiments")
def test_list(capsys):
    assert main(["lab", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "experiments": [{"name": "coin", "part": "I", "claim": "A coin has two sides."}]
    }


@pytest.mark.usefixtures("experiments")
def test_all_makes_a_gallery(capsys, tmp_path):
    assert main(["lab", "run", "all", "--json", "--out", "g"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert (told["holds"], told["not_run"], told["gallery"]) == (True, [], "g/gallery.html")
    assert err == "1/1 coin … holds (0 s)\n"
    page = (tmp_path / "g/gallery.html").read_text(encoding="utf-8")
    assert "I. From the neuron to deep networks" in page
    assert "isthmus lab run coin<" in page
    assert "what holds is computed from numbers" in page  # this file's own first line, as the experiment's code
    assert main(["lab", "run", "all", "--set", "sides=1"]) == 2
    assert capsys.readouterr().err == (
        "isthmus: --set with several experiments; in lab run; one experiment, whose settings they are\n"
    )


def without_a_package(settings, seeds):
    import no_such_package  # noqa: F401


def broken(settings, seeds):
    return Measured({"sides": 1 / 0})


def test_the_others_are_run_where_one_cannot_be(experiments, capsys, tmp_path):
    lacking = replace(COIN, name="lacking", measure=without_a_package)
    experiments(lacking, replace(COIN, name="bent", settings={"sides": 1}), COIN)
    assert main(["lab", "run", "all", "--json", "--seeds", "2"]) == 2
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        ("1/3 lacking … isthmus: no_such_package is not installed; in this Python; pip check tells what needs it"),
        "2/3 bent … does not hold (0 s)",
        "3/3 coin … holds (0 s)",
    ]
    told = json.loads(out)
    assert [one["name"] for one in told["experiments"]] == ["bent", "coin"]
    assert [(one["name"], one["error"]["what"]) for one in told["not_run"]] == [
        ("lacking", "no_such_package is not installed")
    ]
    assert told["holds"] is False
    page = (tmp_path / "runs/lab/gallery.html").read_text(encoding="utf-8")
    assert "1 of 3 hold." in page
    assert "It could not be run: no_such_package is not installed" in page
    assert "isthmus lab run coin --seeds 2" in page
    experiments(COIN, replace(COIN, name="bent", settings={"sides": 1}))
    assert main(["lab", "run", "bent", "coin"]) == 1
    assert "not run" not in capsys.readouterr().out
    experiments(replace(COIN, name="broken", measure=broken), lacking)
    assert main(["lab", "run", "all"]) == 3
    out, err = capsys.readouterr()
    assert "1/2 broken … isthmus: a fault of isthmus itself (ZeroDivisionError); the log lies at " in err
    assert out.count("not run") == 2


@pytest.mark.usefixtures("experiments")
def test_a_folder_becomes_a_page_wherever_it_lies_now(capsys, tmp_path):
    drawing = replace(COIN, measure=lambda settings, seeds: Measured({"sides": 2}, {"tosses": tossed}))
    run(drawing, Protocol(seeds=3), tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    assert main(["lab", "gallery", "new", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["gallery"], told["holds"]) == ("new/gallery.html", True)
    page = (tmp_path / "new/gallery.html").read_text(encoding="utf-8")
    assert "data:image/png" in page
    assert "isthmus lab run coin --seeds 3" in page
    run(COIN, Protocol(settings={"sides": 1}), tmp_path / "new")
    assert main(["lab", "gallery", "new"]) == 1
    assert "no " in capsys.readouterr().out
    (tmp_path / "new/coin.json").write_text("{}")
    assert main(["lab", "gallery", "new"]) == 2
    assert capsys.readouterr().err == (
        "isthmus: not the result of an experiment; at new/coin.json; what isthmus lab run wrote\n"
    )


def stop(settings, seeds):
    raise KeyboardInterrupt


def test_ctrl_c_ends_all(experiments, capsys, tmp_path):
    experiments(COIN, replace(COIN, name="long", measure=stop), replace(COIN, name="later"))
    assert main(["lab", "run", "all", "--json"]) == 130
    assert capsys.readouterr() == ("", "1/3 coin … holds (0 s)\n2/3 long … isthmus: interrupted\n")
    assert [path.name for path in (tmp_path / "runs/lab").iterdir()] == ["coin.json"]


def test_a_folder_that_cannot_be_is_told_once(experiments, capsys, tmp_path):
    experiments(COIN, replace(COIN, name="medal"))
    (tmp_path / "file").touch()
    assert main(["lab", "run", "all", "--out", "file"]) == 2
    assert capsys.readouterr().err.startswith("isthmus: cannot write to the folder (File exists); ")


def test_without_the_packages_that_draw_there_is_no_page(monkeypatch, tmp_path):
    monkeypatch.setattr("isthmus.lab.gallery.can_draw", lambda: False)
    assert write_gallery([COIN], [lab.introduced(COIN, Protocol())], tmp_path) is None
