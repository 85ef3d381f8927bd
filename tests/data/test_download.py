"""Downloads from a server on this machine: whole, checked, or nothing at all."""

import errno
import gzip
import hashlib
import os
import socket
import struct
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from isthmus.data import describe_sets, load_data
from isthmus.data.hosts import HOSTS, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, Host
from isthmus.errors import DataError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def copyfile(self, source, outputfile):
        content = source.read()
        outputfile.write(content[: len(content) - self.server.missing_bytes])


@pytest.fixture
def server(tmp_path, monkeypatch):
    (tmp_path / "served").mkdir()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = partial(Quiet, directory=tmp_path / "served")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.missing_bytes = 0
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("ISTHMUS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def url_of(server):
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def host(server, tmp_path, monkeypatch):
    """A small set of the four files, in place of kmnist."""
    rng = np.random.default_rng(0)
    shapes = {TRAIN_IMAGES: (5, 28, 28), TRAIN_LABELS: (5,), TEST_IMAGES: (2, 28, 28), TEST_LABELS: (2,)}
    sums = {}
    for name, shape in shapes.items():
        header = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
        content = gzip.compress(header + rng.integers(0, 10, shape, dtype=np.uint8).tobytes())
        (tmp_path / "served" / f"{name}.gz").write_bytes(content)
        sums[name] = hashlib.sha256(content).hexdigest()
    host = Host(url_of(server), sums)
    monkeypatch.setitem(HOSTS, "kmnist", host)
    return host


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_set_is_downloaded_once_and_found_the_next_time(host, server, data, capsys):
    first = load_data("kmnist")
    assert first.X.shape == (5, 784)
    assert first.X_test.shape == (2, 784)
    assert names(data / "kmnist") == sorted(f"{name}.gz" for name in host.sha256)
    progress = capsys.readouterr()
    assert progress.out == ""
    assert "train-images-idx3-ubyte.gz" in progress.err
    server.shutdown()
    np.testing.assert_array_equal(load_data("kmnist").X, first.X)
    assert {info.name: info.present for info in describe_sets()}["kmnist"]


def test_without_isthmus_data_it_lies_in_the_cache(host, tmp_path, monkeypatch):
    monkeypatch.delenv("ISTHMUS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    load_data("kmnist")
    assert len(names(tmp_path / "cache" / "isthmus" / "kmnist")) == 4


def test_another_checksum_leaves_nothing(host, server, data, tmp_path):
    (tmp_path / "served" / f"{TRAIN_IMAGES}.gz").write_bytes(b"other")
    with pytest.raises(DataError) as caught:
        load_data("kmnist")
    assert str(caught.value) == (
        f"a file of SHA-256 {hashlib.sha256(b'other').hexdigest()}; from {url_of(server)}/{TRAIN_IMAGES}.gz; "
        f"expected {host.sha256[TRAIN_IMAGES]}; "
        f"try again, or put the right file at {data / 'kmnist' / TRAIN_IMAGES}.gz"
    )
    assert names(data / "kmnist") == []


def test_a_host_that_breaks_off_leaves_nothing(host, server, data):
    server.missing_bytes = 100
    with pytest.raises(DataError) as caught:
        load_data("kmnist")
    assert caught.value.what.startswith("a file of SHA-256 ")
    assert caught.value.expected == f"expected {host.sha256[TRAIN_IMAGES]}"
    assert names(data / "kmnist") == []


def test_a_file_that_is_not_there(host, server, data, tmp_path):
    (tmp_path / "served" / f"{TRAIN_IMAGES}.gz").unlink()
    with pytest.raises(DataError) as caught:
        load_data("kmnist")
    assert str(caught.value) == (
        f"cannot download {TRAIN_IMAGES}.gz (File not found); from {url_of(server)}/{TRAIN_IMAGES}.gz; "
        f"expected it there or at {data / 'kmnist' / TRAIN_IMAGES}.gz; "
        "fetch it by other means and put it there, or let ISTHMUS_DATA name the folder above kmnist/"
    )
    assert not data.exists()


def test_a_host_that_does_not_answer(host, data, monkeypatch):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound but not listening: nobody else gets the port, connections are refused
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        monkeypatch.setitem(HOSTS, "kmnist", Host(url, host.sha256))
        with pytest.raises(DataError) as caught:
            load_data("kmnist")
    refused = f"[Errno {errno.ECONNREFUSED}] {os.strerror(errno.ECONNREFUSED)}"
    assert str(caught.value) == (
        f"cannot download {TRAIN_IMAGES}.gz ({refused}); from {url}/{TRAIN_IMAGES}.gz; "
        f"expected it there or at {data / 'kmnist' / TRAIN_IMAGES}.gz; "
        "fetch it by other means and put it there, or let ISTHMUS_DATA name the folder above kmnist/"
    )
    assert not data.exists()


def test_a_folder_that_cannot_be_made(host, data):
    data.write_text("a file where the folder should be")
    with pytest.raises(DataError) as caught:
        load_data("kmnist")
    assert str(caught.value) == (
        f"cannot make the folder (Not a directory); at {data / 'kmnist'}; expected a place to keep downloads; "
        "let ISTHMUS_DATA name a folder you may write to"
    )


@pytest.mark.parametrize("name", HOSTS)
def test_every_real_set_names_four_files_and_their_sha256(name):
    assert set(HOSTS[name].sha256) == {TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS}
    assert all(len(bytes.fromhex(digest)) == 32 for digest in HOSTS[name].sha256.values())
