import bz2
import gzip
import io
import lzma
import pickle
import tracemalloc
import zlib

import joblib
import pytest
from sklearn.linear_model import LinearRegression

from lading.bundle.pickles import sniff, unwrap
from lading.errors import FormatError

MIB = 1 << 20

TEXTS = [
    b"x,y\n1,2\n",
    b'{"model": 1}',
    b"class\nVirginica\nVersicolor\nVirginica\nVirginica\nVirginica\nVirginica\nVirginica\nVirginica\n",
    b"contents\nchapter\n(1) the beginning\n",
    b"(deadbeats)\nI1\n",
    b"import os\n\nprint(1)\n",
    b"]quoted[\n",
    b"BZh9 is how such files begin",
    b"x^2 + y^2 = z^2, said the teacher, and nobody asked why\n",
    b"}\n",
    b"\n",
    b".",
    "Größe;Gewicht\n1;2\n".encode(),
]


@pytest.fixture(scope="module")
def model():
    return LinearRegression().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])


def joblib_bytes(model, compress):
    stream = io.BytesIO()
    joblib.dump(model, stream, compress=compress)
    return stream.getvalue()


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_of_each_protocol_is_known(protocol, model):
    assert sniff(pickle.dumps(model, protocol)) == "pickle"
    assert sniff(pickle.dumps({"model": model}, protocol)) == "pickle"


@pytest.mark.parametrize("method", ["gzip", "zlib", "bz2", "xz", "lzma"])
def test_each_compression_of_joblib_is_known_and_undone(method, model):
    data = joblib_bytes(model, (method, 3))
    assert sniff(data) == method
    loaded = joblib.load(io.BytesIO(unwrap(data, max_bytes=MIB)))
    assert loaded.coef_ == model.coef_


def test_compress_3_is_zlib(model):
    assert sniff(joblib_bytes(model, 3)) == "zlib"


def test_gzip_open_with_pickle_dump(tmp_path, model):
    path = tmp_path / "model.pkl.gz"
    with gzip.open(path, "wb") as file:
        pickle.dump(model, file)
    assert unwrap(path.read_bytes(), max_bytes=MIB) == pickle.dumps(model)


def test_a_plain_pickle_is_given_back_as_it_is(model):
    data = joblib_bytes(model, 0)
    assert unwrap(data, max_bytes=len(data)) is data


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_no_pickle(text):
    assert sniff(text) is None
    with pytest.raises(FormatError, match="expected a pickle"):
        unwrap(text, max_bytes=MIB)


@pytest.mark.parametrize("head", [b"\x80", b"\x80\x01\x00", b"\x80\x06\x95", b"\x89PNG", b"PK\x03\x04", b"\x1f\x8b"])
def test_other_binary_files_are_no_pickles(head):
    assert sniff(head) is None


def test_a_handmade_pickle_of_protocol_0_is_known():
    assert sniff(b"cos\nsystem\n(S'true'\ntR.") == "pickle"


def test_an_empty_file_is_called_empty():
    with pytest.raises(FormatError, match="is empty"):
        unwrap(b"", max_bytes=MIB)


def test_lz4_says_how_to_save_instead():
    with pytest.raises(FormatError, match="`lz4`") as error:
        unwrap(b"\x04\x22\x4d\x18" + bytes(20), max_bytes=MIB)
    assert "joblib.dump" in error.value.hint


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, bz2.compress, lzma.compress])
def test_a_stream_that_is_cut_off_is_refused(compress, model):
    data = compress(pickle.dumps(model))
    with pytest.raises(FormatError, match="is cut off"):
        unwrap(data[:-5], max_bytes=MIB)


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, bz2.compress, lzma.compress])
def test_a_stream_with_other_bytes_after_it_is_refused(compress, model):
    with pytest.raises(FormatError, match="is followed by other bytes"):
        unwrap(compress(pickle.dumps(model)) + b"more", max_bytes=MIB)


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, bz2.compress, lzma.compress])
def test_a_stream_with_a_changed_byte_is_refused(compress, model):
    data = bytearray(compress(pickle.dumps(model)))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(FormatError):
        unwrap(bytes(data), max_bytes=MIB)


def test_a_compressed_file_without_a_pickle_in_it_is_refused():
    with pytest.raises(FormatError, match="inside of the `gzip` file"):
        unwrap(gzip.compress(b"a,b\n1,2\n"), max_bytes=MIB)


def test_a_compressed_file_in_a_compressed_file_is_refused(model):
    with pytest.raises(FormatError, match="inside of the `gzip` file"):
        unwrap(gzip.compress(joblib_bytes(model, 3)), max_bytes=MIB)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zlib.compress, bz2.compress, lzma.compress])
def test_the_bound_is_exact_and_named(compress, model):
    raw = pickle.dumps(model)
    assert unwrap(compress(raw), max_bytes=len(raw)) == raw
    with pytest.raises(FormatError, match=f"more than {len(raw) - 1} bytes"):
        unwrap(compress(raw), max_bytes=len(raw) - 1)


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, bz2.compress, lzma.compress])
def test_a_bomb_costs_no_more_than_the_bound(compress):
    bomb = compress(pickle.dumps(bytes(32 * MIB)))
    tracemalloc.start()
    with pytest.raises(FormatError, match="the limit"):
        unwrap(bomb, max_bytes=MIB)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # the dictionary of xz is 8 MiB
    assert peak < 14 * MIB


def test_a_file_of_several_chunks_is_put_together():
    raw = pickle.dumps(bytes(range(256)) * 8192)
    packed = zlib.compress(raw, 0)
    assert unwrap(packed, max_bytes=len(raw)) == raw
