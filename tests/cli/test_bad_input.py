"""Bad input gets one line and exit 2; what was there before is there after."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from isthmus.zoo import KINDS

NAMES = ", ".join(sorted(KINDS))

IRIS = "4 columns; in iris; the 5 columns that {} was trained on; give data of the same columns, or train on these"
IMAGES = "a run trained on images, or with --set input_shape=1,28,28; write a table instead: .npy, .parquet, .csv"

# words after `isthmus`, and the whole message; {} is the trained run, {data} what it was trained on
LINES = {
    "train": [
        (("digits",), f"no kind; in isthmus train; --kind with one of {NAMES}"),
        (("--kind", "sparse"), "no data; in isthmus train; a named set or a path; such as isthmus train digits"),
        (("digits", "--kind", "sparce"), "no kind called 'sparce'; did you mean 'sparse'?"),
        (
            ("digits", "--kind", "sparse", "--set", "strenght=2"),
            "no such setting: strenght; in the kind 'sparse'; did you mean 'strength'?",
        ),
        (
            ("digits", "--kind", "sparse", "--set", "penalty.roh=2"),
            "no such setting: penalty.roh; in the kind 'sparse'; did you mean 'penalty.rho'?",
        ),
        (
            ("digits", "--kind", "linear", "--set", "penalty.strength=2"),
            (
                "no such setting: penalty.strength; in the kind 'linear', which leaves penalty at its default; "
                "choose one first: --set penalty=commitment or contraction or curvature or dip or divergence or kl or "
                "l1 or totalcorrelation or weights"
            ),
        ),
        (
            ("digits", "--kind", "linear", "--set", "penalty=contractive"),
            "no penalty called 'contractive'; in --set penalty; did you mean 'contraction'?",
        ),
        (
            ("digits", "--kind", "sparse", "--set", "rho"),
            "'rho' is no assignment; in --set; name=value, such as hidden=512,256",
        ),
        (
            ("digits", "--kind", "sparse", "--set", "rho=1", "--set", "rho=2"),
            "rho is set twice; in --set; each name once",
        ),
        (
            ("digits", "--kind", "sparse", "--set", "rho=two"),
            "rho must be a number > 0 and < 1; got 'two'; in KL",
        ),
        (
            ("digits", "--kind", "denoising", "--set", "noise=3"),
            "no noise called '3'; in noise; known: elastic, gaussian, masking, rotation, salt-and-pepper, shift",
        ),
        (
            ("digits", "--kind", "linear", "--code-size", "0"),
            "code_size must be a whole number >= 1; got 0; in Autoencoder",
        ),
        (
            ("digits", "--kind", "linear", "--code-size", "-3"),
            "code_size must be a whole number >= 1; got -3; in Autoencoder",
        ),
        (
            ("digits", "--kind", "linear", "--set", "penalty=kl", "--out", "r"),
            (
                "penalties.KL needs a code that gives 'unit interval'; this code gives no statistics; "
                "use code=codes.Activation('sigmoid')"
            ),
        ),
        (
            ("digits", "--kind", "topk", "--code-size", "4", "--out", "r"),
            "codes.TopK keeps k=8 of 4 units; code; k at most code_size",
        ),
        (
            ("digits", "--kind", "linear", "--resume", "--overwrite"),
            "--resume and --overwrite together; in isthmus train; one of them",
        ),
        (
            ("digits", "--kind", "linear", "--config", "no.toml"),
            "cannot read the configuration (No such file or directory); at no.toml; a TOML file; check the path",
        ),
        (
            ("digit", "--kind", "linear"),
            "no data set named 'digit'; and no such file; expected a named set or a path; did you mean 'digits'?",
        ),
        (
            ("digits", "--kind", "linear", "--kid", "x"),
            "no such option: --kid; in isthmus train; did you mean '--kind'?",
        ),
        (
            ("digits", "--kind", "linear", "--code-size", "two"),
            "Invalid value for '--code-size': 'two' is not a whole number; in isthmus train; see isthmus train --help",
        ),
    ],
    "sample": [
        (("{}", "-n", "0", "-o", "x.npy"), "n must be a whole number >= 1; got 0; in sample"),
        (
            ("{}", "-o", "x.png"),
            (
                "a .png needs rows that are images; to write x.png; a run trained on images, or with --set "
                "input_shape=1,28,28; write a table instead: .npy, .parquet, .csv"
            ),
        ),
        (
            ("{}", "-o", "x.npy"),
            (
                "this code has no prior to sample from; in sample; a run of a kind that has one, such as variational; "
                "fit one to the codes of training rows: --sampler mixture"
            ),
        ),
        (
            ("{}", "--sampler", "mixtures", "-o", "x.npy"),
            "no sampler called 'mixtures'; in sample; did you mean 'mixture'?",
        ),
        (
            ("{}", "--group", "3", "-o", "x.npy"),
            "this run's decoder is the same for all groups; in --group; leave it out",
        ),
    ],
    "interpolate": [
        (("{}", "iris", "-o", "x.npy"), IRIS),
        (("{}", "iris", "-o", "x.gif"), f"a .gif needs rows that are images; to write x.gif; {IMAGES}"),
        (
            ("{}", "iris", "-o", "x.txt"),
            (
                "the suffix '.txt' is not known; to write x.txt; .npy, .parquet, .csv, .png, .gif; "
                "the suffix chooses the format"
            ),
        ),
        (("{}", "{data}", "-o", "x.npy", "--pairs", "0"), "pairs must be a whole number >= 1; got 0; in interpolate"),
        (("{}", "{data}", "-o", "x.npy", "--steps", "1"), "steps must be a whole number >= 2; got 1; in interpolate"),
        (
            ("{}", "{data}", "-o", "x.npy", "--how", "round"),
            "how must be one of None, 'linear', 'spherical'; got 'round'; in interpolate",
        ),
    ],
    "traverse": [
        (("{}", "iris", "-o", "x.npy"), IRIS),
        (("{}", "-o", "x.png"), f"a .png needs rows that are images; to write x.png; {IMAGES}"),
        (("{}", "-o", "x.npy", "--units", "2"), "no unit 2; in traverse; units of the code: 0 to 1"),
        (
            ("{}", "-o", "x.npy", "--units", "0,b"),
            "'0,b' names no units; in --units; whole numbers between commas, such as 0,3",
        ),
        (("{}", "-o", "x.npy", "--reach", "0"), "reach must be a number > 0; got 0.0; in traverse"),
        (
            ("{}", "{data}", "-o", "x.npy", "--row", "150"),
            "row must be a whole number >= 0 and <= 149; got 150; in {data}",
        ),
    ],
    "swap-codes": [
        (("{}", "{data}", "iris", "-o", "x.npy"), IRIS),
        (
            ("{}", "{data}", "{data}", "-o", "x.gif"),
            "the suffix '.gif' is not known; to write x.gif; .npy, .parquet, .csv, .png; the suffix chooses the format",
        ),
        (
            ("{}", "{data}", "{data}", "-o", "x.npy"),
            (
                "this model does not tell content from style; in swap; "
                "code=codes.Grouped(...) or decoder=decoders.PerGroup(), fitted with groups"
            ),
        ),
        (("{}", "{data}", "{data}", "-n", "0", "-o", "x.npy"), "n must be a whole number >= 1; got 0; in swap-codes"),
    ],
    "encode": [
        (
            ("nowhere", "iris", "-o", "x.npy"),
            "no such run; at nowhere; a folder that isthmus train wrote; check the path",
        ),
        (
            ("{}", "iris", "-o", "x.npy"),
            (
                "4 columns; in iris; the 5 columns that {} was trained on; "
                "give data of the same columns, or train on these"
            ),
        ),
        (
            ("{}", "iris", "-o", "x.txt"),
            "the suffix '.txt' is not known; to write x.txt; .npy, .parquet, .csv; the suffix chooses the format",
        ),
        (("{}", "iris"), "Missing option '-o' / '--output'; in isthmus encode; see isthmus encode --help"),
    ],
    "decode": [
        (("{}", "iris", "-o", "x.npy"), "4 columns; in iris; the 2 numbers of this run's code; give what encode wrote")
    ],
    "compare": [
        (("digits", "--kinds", "linaer"), "no kind called 'linaer'; did you mean 'linear'?"),
        (("digits", "--kinds", ","), "no kinds; in --kinds; all, or names such as sparse,topk"),
        (("digits", "--seeds", "0"), "seeds must be a whole number >= 1; got 0; in compare"),
        (
            ("digits", "--set", "random_state=3"),
            "random_state cannot be set here; in --set; --seeds decides it",
        ),
        (("digits", "--set", "code_size=3"), "code_size cannot be set here; in --set; --code-size decides it"),
    ],
    "sweep": [
        (("digits",), f"no kind; in isthmus sweep; --kind with one of {NAMES}"),
        (("digits", "--kind", "sparce"), "no kind called 'sparce'; did you mean 'sparse'?"),
        (
            ("digits", "--kind", "sparse"),
            ("nothing to sweep; in --set; a setting with values to try; such as --set learning_rate=1e-3,1e-2"),
        ),
        (
            ("digits", "--kind", "sparse", "--set", "strenght=1,2"),
            "no such setting: strenght; in the kind 'sparse'; did you mean 'strength'?",
        ),
        (
            ("digits", "--kind", "sparse", "--set", "rho=0.1,2"),
            "rho must be a number > 0 and < 1; got 2; in KL",
        ),
        (
            ("digits", "--kind", "undercomplete", "--set", "hidden=8,4;x"),
            "hidden must be a sequence, each a whole number >= 1; got ('x',); in MLP",
        ),
        (
            ("digits", "--kind", "sparse", "--set", "rho=0.1,0.1"),
            "rho has the value 0.1 twice; in the grid; each value once",
        ),
        (("digits", "--kind", "sparse", "--set", "rho=,"), "rho has no values; in --set; rho=value,value"),
        (
            ("digits", "--kind", "sparse", "--set", "rho"),
            "'rho' is no assignment; in --set; name=value, such as penalty.strength=0.01,0.1",
        ),
        (
            ("digits", "--kind", "sparse", "--set", "rho=0.1", "--set", "rho=0.2"),
            "rho is set twice; in --set; each name once",
        ),
        *(
            (
                ("digits", "--kind", "sparse", "--set", f"{name}=1,2"),
                f"{name} cannot be set here; in --set; --seeds decides it",
            )
            for name in ("seeds", "seed", "random_state")
        ),
        (
            ("digits", "--kind", "sparse", "--set", "code_size=4,8", "--code-size", "4"),
            "code_size is set twice; by --code-size and by --set; one of them",
        ),
        (
            ("digits", "--kind", "sparse", "--set", "rho=0.1,0.2", "--seeds", "0"),
            "seeds must be a whole number >= 1; got 0; in sweep",
        ),
        (
            ("digits", "--kind", "topk", "--set", "code_size=4,16"),
            "codes.TopK keeps k=8 of 4 units; code; k at most code_size",
        ),
        (
            ("digit", "--kind", "sparse", "--set", "rho=0.1,0.2"),
            "no data set named 'digit'; and no such file; expected a named set or a path; did you mean 'digits'?",
        ),
        (
            ("iris", "--kind", "sparse", "--set", "rho=0.1,0.2", "--out", "{}"),
            "not a sweep, and not empty; at {}; a new or an empty folder; choose another --out",
        ),
    ],
    "lab run": [
        (("linear-pcs",), "no experiment called 'linear-pcs'; in the lab; did you mean 'linear-pca'?"),
        (
            ("linear-pca", "--set", "epoch=2"),
            "no such setting: epoch; in the experiment 'linear-pca'; did you mean 'epochs'?",
        ),
        (("linear-pca", "--set", "epochs=few"), "epochs must be like 800; got 'few'; in --set"),
        (("linear-pca", "--seeds", "0"), "seeds must be a whole number >= 1; got 0; in the lab"),
        (("all", "--part", "3"), "no part '3' of the lecture; in the lab; one of I, II"),
        (
            ("linear-pca", "variational", "--set", "epochs=2"),
            "--set with several experiments; in lab run; one experiment, whose settings they are",
        ),
    ],
    "lab gallery": [
        (("nowhere",), "no result of an experiment; in nowhere; what isthmus lab run wrote; run one first"),
    ],
    "": [(("trian",), "no such verb: trian; in isthmus; did you mean 'train'?")],
    "data": [(("lits",), "no such verb: lits; in isthmus data; did you mean 'list'?")],
}
CASES = [(verb, *case) for verb, cases in LINES.items() for case in cases]


@pytest.mark.parametrize(("verb", "words", "message"), CASES, ids=[f"{v} {' '.join(w)}" for v, w, _ in CASES])
def test_one_line_and_exit_2(cli, trained, table, tmp_path, verb, words, message):
    def filled(text: str) -> str:
        return text.replace("{}", str(trained)).replace("{data}", str(table))

    answer = cli(*verb.split(), *map(filled, words))
    assert answer.err == f"isthmus: {filled(message)}\n"
    assert (answer.code, answer.out) == (2, "")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_json_carries_the_error_too(cli):
    answer = cli("train", "digits", "--kind", "sparce", "--json")
    assert answer.code == 2
    assert answer.json == {
        "error": {"what": "no kind called 'sparce'", "where": "", "expected": "", "hint": "did you mean 'sparse'?"}
    }


@pytest.fixture
def csv(tmp_path):
    def write(text: str) -> str:
        (tmp_path / "bad.csv").write_text(text, encoding="utf-8")
        return "bad.csv"

    return write


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n", "a,b\n1,2\n3\n", "a,b\n1,2\n3,x\n", "a,b\n1,nan\n2,3\n", "a,b\n1,inf\n2,3\n", "a,b\n1,2\n1,2\n"],
    ids=["empty", "no rows", "ragged", "text", "nan", "infinity", "constant"],
)
def test_data_that_cannot_be_learned_from(cli, csv, tmp_path, text):
    answer = cli("train", csv(text), "--kind", "linear", "--out", "r")
    assert answer.code == 2
    assert answer.err.startswith("isthmus: ")
    assert answer.err.count("\n") == 1
    assert "bad.csv" in answer.err
    assert not (tmp_path / "r").exists()


def test_rows_of_other_columns(cli, trained, csv):
    name = csv("a,b,c,d,f\n" + "1,2,3,4,5\n" * 3)
    assert cli("encode", trained, name, "-o", "x.npy").err == (
        "isthmus: no column 'e'; in bad.csv; the columns of training: a, b, c, d, e; "
        "rename the columns as they were in training\n"
    )


@pytest.mark.parametrize("shape", [(6,), (0, 3), (2, 0)])
def test_arrays_that_are_no_table(cli, tmp_path, shape):
    np.save(tmp_path / "x.npy", np.arange(np.prod(shape)).reshape(shape))
    answer = cli("train", "x.npy", "--kind", "linear", "--out", "r")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "x.npy" in answer.err
    assert not (tmp_path / "r").exists()


def test_a_run_is_not_replaced_unasked(cli, trained, table):
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    answer = cli("train", table, "--kind", "linear", "--out", trained)
    assert answer.err == (
        f"isthmus: already a run; at {trained}; a new or an empty folder; "
        "go on with --resume, replace it with --overwrite, or choose another --out\n"
    )
    assert before == {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}


def test_a_folder_of_other_files_is_never_replaced(cli, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("keep")
    answer = cli("train", "iris", "--kind", "linear", "--out", "mine", "--overwrite")
    assert answer.err == (
        f"isthmus: not a run, and not empty; at {tmp_path / 'mine'}; a new or an empty folder, or a run; "
        "choose another --out\n"
    )
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_a_folder_that_cannot_be_made(cli, tmp_path):
    (tmp_path / "file").write_text("x")
    answer = cli("train", "iris", "--kind", "linear", "--out", "file/run")
    assert answer.err == (
        f"isthmus: cannot write to the folder (Not a directory); at {tmp_path / 'file/run'}; "
        "a folder you may write to; choose another --out\n"
    )
    assert answer.code == 2


def test_nothing_to_go_on_with(cli, tmp_path):
    assert cli("train", "iris", "--kind", "linear", "--out", "r", "--resume").err == (
        f"isthmus: no run to go on with; at {tmp_path / 'r'}; a run that was interrupted; "
        "leave out --resume to start one\n"
    )


@pytest.mark.parametrize(
    ("name", "content", "verb"),
    [
        ("config.json", b"{", "info"),
        ("config.json", b"[]", "info"),
        ("config.json", b'{"format": 1, "params": {}, "estimator": "Autoencoder"}', "info"),
        ("config.json", b'{"format": 99, "params": {}}', "info"),
        ("config.json", b"\xff\xfe", "info"),
        ("model.safetensors", b"not tensors", "info"),
        ("model.safetensors", b"", "info"),
        ("model.safetensors", None, "info"),
        ("config.json", None, "info"),
        ("reference.safetensors", b"\x10", "evaluate"),
    ],
)
def test_a_damaged_or_foreign_file_in_a_run(cli, trained, table, tmp_path, name, content, verb):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    shutil.rmtree(run / "checkpoints")
    (run / name).unlink() if content is None else (run / name).write_bytes(content)
    answer = cli(verb, run, *([table] if verb == "evaluate" else []))
    assert answer.code == 2, answer.err
    assert answer.err.startswith("isthmus: ")
    assert answer.err.count("\n") == 1
    assert str(run) in answer.err


def test_a_damaged_calibration_of_scores(cli, trained, table, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    config = json.loads((run / "config.json").read_text())
    del config["run"]["detector"]["learned"]["offset_"]
    (run / "config.json").write_text(json.dumps(config))
    answer = cli("anomalies", run, table, "-o", "s.csv")
    assert answer.code == 2, answer.err
    assert answer.err == (f"isthmus: config.json and model.safetensors do not fit ('offset_'); in {run}; train again\n")


def test_a_run_that_is_not_finished(cli, trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    (run / "config.json").unlink()
    assert cli("info", run).err == (
        f"isthmus: the run is not finished; at {run}; a run whose training ended; go on with isthmus train --resume\n"
    )


def test_toml_with_a_key_that_does_not_exist(cli, tmp_path):
    (tmp_path / "run.toml").write_text("codesize = 3\n")
    assert cli("train", "iris", "--config", "run.toml").err == (
        "isthmus: no such key: codesize; in run.toml; did you mean 'code_size'?\n"
    )


def test_own_faults_leave_a_log_and_no_traceback(cli, monkeypatch):
    from isthmus import runs

    def broken(folder: object) -> object:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(runs, "open_run", broken)
    answer = cli("info", "x", "--json")
    assert answer.code == 3
    assert "Traceback" not in answer.out + answer.err
    log = answer.json["error"]["where"].removeprefix("the log lies at ")
    assert "ZeroDivisionError: planted" in Path(log).read_text(encoding="utf-8")
    assert answer.err == (
        f"isthmus: a fault of isthmus itself (ZeroDivisionError); the log lies at {log}; please report it\n"
    )


def test_a_full_disk_while_writing_codes(cli, trained, table, tmp_path, monkeypatch):
    import errno

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "codes.npy").write_bytes(b"before")
    monkeypatch.setattr(np, "save", full)
    answer = cli("encode", trained, table, "-o", "codes.npy", "--json")
    assert answer.code == 2
    assert answer.json["error"]["what"] == "no room to write the file"
    assert [path.name for path in tmp_path.iterdir()] == ["codes.npy"]
    assert (tmp_path / "codes.npy").read_bytes() == b"before"


def test_keys_of_the_error(cli):
    assert set(json.loads(cli("info", "nowhere", "--json").out)["error"]) == {"what", "where", "expected", "hint"}
