"""An archive opens exactly when our writer would have written it; everything else is a `BundleError`."""

import hashlib
import os
import random
import stat
import struct
import sys
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.bundle import archive
from lading.bundle.archive import Archive, is_archive, write_archive
from lading.bundle.names import MAX_MEMBERS, check_names
from lading.errors import BundleError, UsageError

MEMBERS = [
    ("manifest.json", b'{"format": 1}'),
    ("model/model.joblib", b"\x80\x04PK\x05\x06."),
    ("code/__init__.py", b""),
]

# More than any buffer holds, so that the file itself is read again
LARGE = [MEMBERS[0], ("model/large", random.Random(0).randbytes(3 * 2**20 + 1))]

GOOD_NAMES = [
    "a",
    "_",
    "0",
    "__init__.py",
    "model/model.joblib",
    "a/b/c/d",
    "a-b_c.d",
    "a..b",
    "a-",
    "console",
    "com10",
    "null.txt",
    "model/x.con",
    "a" * 200,
]

BAD_NAMES = [
    "",
    ".",
    "..",
    "../evil",
    "../../evil",
    "a/../b",
    "a/..",
    "a/./b",
    "/etc/passwd",
    "//host/share",
    "//proc/self/root/etc/passwd",
    "a//b",
    "a/",
    "x#/../../etc",
    "a\\..\\b",
    "\\\\host\\share",
    "C:x",
    "c:/x",
    "a:stream",
    "a\0b",
    "a\nb",
    "a\n",
    "\x7f",
    "a b",
    "a ",
    "a.",
    "a./b",
    "a..",
    ".git/x.py",
    ".hidden",
    "-rf",
    "~root",
    "caf\xe9",
    "cafe\u0301",
    "\u202egnp.exe",
    "\u212aey",
    "\uff0e\uff0e/x",
    "con",
    "NUL",
    "nul.txt",
    "Aux.tar.gz",
    "model/COM1",
    "lpt9.json/x",
    "a" * 201,
]

BAD_SETS = [
    [],
    ["model"],
    ["model", "manifest.json"],
    ["Manifest.json"],
    ["manifest.json", "manifest.json"],
    ["manifest.json", "Manifest.JSON"],
    ["manifest.json", "model/a", "model/A"],
    ["manifest.json", "model", "model/a"],
    ["manifest.json", "model/a", "model"],
    ["manifest.json", "MODEL", "model/a"],
    ["manifest.json", "manifest.json/a"],
    ["manifest.json", "Model/a", "model/b"],
    ["manifest.json", "a/b/c", "a/b"],
]


COMMON = {"version": 10, "flags": 0, "method": 0, "time": 0, "date": 33, "extra": b""}
CENTRAL = {**COMMON, "made": 3 << 8 | 20, "comment": b"", "disk": 0, "internal": 0, "mode": 0o100644 << 16}


def pack_fields(fields, *names):
    return struct.pack(f"<{len(names)}H", *(fields[name] for name in names))


def pack_local(name, data, fields):
    """A local header and its data, as our writer gives them but for the fields that are named."""
    whole = {**COMMON, "crc": zlib.crc32(data), "packed": len(data), "size": len(data), **fields}
    start = b"PK\3\4" + pack_fields(whole, "version", "flags", "method", "time", "date")
    sizes = struct.pack("<3L2H", whole["crc"], whole["packed"], whole["size"], len(name), len(whole["extra"]))
    return start + sizes + name + whole["extra"] + data


def pack_central(name, data, offset, fields):
    whole = {
        **CENTRAL,
        "crc": zlib.crc32(data),
        "packed": len(data),
        "size": len(data),
        "offset": offset,
        **fields,
    }
    start = b"PK\1\2" + pack_fields(whole, "made", "version", "flags", "method", "time", "date")
    sizes = struct.pack("<3L2H", whole["crc"], whole["packed"], whole["size"], len(name), len(whole["extra"]))
    rest = struct.pack("<3H2L", len(whole["comment"]), whole["disk"], whole["internal"], whole["mode"], whole["offset"])
    return start + sizes + rest + name + whole["extra"] + whole["comment"]


def pack_end(fields):
    whole = {"disk": 0, "here": fields["count"], "comment": b"", **fields}
    numbers = (
        whole["disk"],
        whole["disk"],
        whole["here"],
        whole["count"],
        whole["size"],
        whole["start"],
        len(whole["comment"]),
    )
    return struct.pack("<4s4H2LH", b"PK\5\6", *numbers) + whole["comment"]


def craft(members=MEMBERS, *, before=b"", gap=b"", padding=b"", last=None, only=("local", "central"), end=None):
    """A whole zip, with the fields of its last member (`last`) or of its end record (`end`) replaced."""
    body, headers = before, b""
    for number, (name, data) in enumerate(members, 1):
        fields = (last or {}) if number == len(members) else {}
        raw = name if isinstance(name, bytes) else name.encode("ascii")
        headers += pack_central(raw, data, len(body), fields if "central" in only else {})
        body += pack_local(raw, data, fields if "local" in only else {})
        body += padding if number < len(members) else b""
    place = {"count": len(members), "size": len(headers), "start": len(body + gap)}
    return body + gap + headers + pack_end({**place, **(end or {})})


def read_all(path):
    with Archive.open(path) as opened:
        return [(name, opened.read(name)) for name in opened.names]


def refusal(path, data):
    """The message with which these bytes are refused; any other exception fails the test."""
    path.write_bytes(data)
    with pytest.raises(BundleError) as caught:
        read_all(path)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.fixture
def path(tmp_path):
    return tmp_path / "iris-1.0.0.lading"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("archives")


# Writing


def test_same_members_give_same_bytes(tmp_path):
    first = write_archive(tmp_path / "a", MEMBERS)
    assert first == write_archive(tmp_path / "b", list(MEMBERS))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert first == hashlib.sha256((tmp_path / "a").read_bytes()).hexdigest()


def test_layout_is_the_documented_one(path):
    write_archive(path, MEMBERS)
    assert path.read_bytes() == craft()


def test_bytes_never_change_between_versions(path):
    assert write_archive(path, MEMBERS) == "ef0a65f1492c071dec45c69b1402c882306c8acf71a9819a88e53c32c0edc6e7"


def test_zipfile_reads_what_was_written(path):
    write_archive(path, MEMBERS)
    with zipfile.ZipFile(path) as opened:
        assert opened.testzip() is None
        assert [(info.filename, opened.read(info)) for info in opened.infolist()] == MEMBERS


def test_members_are_ordinary_files_to_other_tools(path):
    write_archive(path, MEMBERS)
    with zipfile.ZipFile(path) as opened:
        info = opened.getinfo("model/model.joblib")
    assert info.external_attr >> 16 == stat.S_IFREG | 0o644
    assert (info.create_system, info.compress_type) == (3, zipfile.ZIP_STORED)
    assert info.date_time == (1980, 1, 1, 0, 0, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_permissions_follow_the_umask(path):
    before = os.umask(0o027)
    try:
        write_archive(path, MEMBERS)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_failed_write_leaves_what_was_there(path, monkeypatch, call):
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(UsageError, match="No space left"):
        write_archive(path, MEMBERS)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == b"old"


def test_interrupted_write_leaves_nothing(path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_archive(path, MEMBERS)
    assert list(path.parent.iterdir()) == []


def test_write_replaces_an_older_archive(path):
    write_archive(path, MEMBERS)
    write_archive(path, MEMBERS[:1])
    assert read_all(path) == MEMBERS[:1]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_missing_folder_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="cannot write"):
        write_archive(tmp_path / "nowhere" / "iris.lading", MEMBERS)


def test_four_gibibytes_are_refused_before_anything_is_written(path):
    big = bytes(2**28)
    with pytest.raises(BundleError, match="4294967295"):
        write_archive(path, [MEMBERS[0], *((f"model/{part}", big) for part in range(16))])
    assert list(path.parent.iterdir()) == []


def test_size_limit_counts_the_headers_exactly(path, monkeypatch):
    write_archive(path, MEMBERS)
    size = path.stat().st_size
    monkeypatch.setattr(archive, "MAX_ARCHIVE_BYTES", size)
    write_archive(path, MEMBERS)
    monkeypatch.setattr(archive, "MAX_ARCHIVE_BYTES", size - 1)
    with pytest.raises(BundleError, match=f"would have {size} bytes"):
        write_archive(path, MEMBERS)


# Reading


def test_archive_gives_names_sizes_and_bytes(path):
    write_archive(path, MEMBERS)
    with Archive.open(path) as opened:
        assert opened.names == tuple(name for name, _ in MEMBERS)
        assert [opened.size(name) for name in opened.names] == [len(data) for _, data in MEMBERS]
        assert [opened.read(name) for name in reversed(opened.names)] == [data for _, data in MEMBERS[::-1]]


def test_digest_is_of_the_whole_file(path):
    written = write_archive(path, MEMBERS)
    with Archive.open(path) as opened:
        opened.read("manifest.json")
        assert opened.digest() == written == opened.digest()


def test_digest_reads_large_members_in_pieces(path):
    written = write_archive(path, LARGE)
    with Archive.open(path) as opened:
        assert opened.digest() == written
        assert opened.read("model/large") == LARGE[1][1]


@pytest.mark.parametrize("call", ["read", "size"])
def test_unknown_member_is_refused(path, call):
    write_archive(path, MEMBERS)
    with Archive.open(path) as opened, pytest.raises(BundleError, match="no member `model/\\\\nother`"):
        getattr(opened, call)("model/\nother")


def test_archive_is_closed_at_the_end(path):
    write_archive(path, MEMBERS)
    with Archive.open(path) as opened:
        pass
    with pytest.raises(ValueError, match="closed"):
        opened.read("manifest.json")


def test_refused_file_is_closed(path):
    path.write_bytes(craft(end={"comment": b"x"}))
    before = free_descriptor()
    for refused in (path, path.parent):
        with pytest.raises(BundleError):
            Archive.open(refused)
        assert free_descriptor() == before


def free_descriptor():
    number = os.open(os.devnull, os.O_RDONLY)
    os.close(number)
    return number


def test_replaced_file_does_not_reach_an_open_archive(path):
    write_archive(path, MEMBERS)
    with Archive.open(path) as opened:
        write_archive(path, [(name, b"evil") for name, _ in MEMBERS])
        assert [(name, opened.read(name)) for name in opened.names] == MEMBERS


def test_bytes_changed_in_place_after_the_digest_are_refused(path):
    write_archive(path, LARGE)
    with Archive.open(path) as opened:
        opened.digest()
        overwrite_unnoticed(path, "manifest.json")
        with pytest.raises(BundleError, match=r"`manifest\.json` changed while"):
            opened.read("manifest.json")


def test_bytes_changed_in_place_after_a_read_have_no_digest(path):
    write_archive(path, LARGE)
    with Archive.open(path) as opened:
        opened.read("model/large")
        overwrite_unnoticed(path, "model/large")
        with pytest.raises(BundleError, match="`model/large` changed while"):
            opened.digest()


def overwrite_unnoticed(path, name):
    """Change a member in place, but neither its length nor its checksum."""
    good = path.read_bytes()
    forged = craft([(other, same_crc(data) if other == name else data) for other, data in LARGE])
    assert len(forged) == len(good)
    path.write_bytes(forged)


def same_crc(data):
    """Other bytes of the same length and CRC-32: adding the polynomial itself leaves the remainder."""
    polynomial = int(f"{0x104C11DB7:033b}"[::-1], 2)
    forged = (int.from_bytes(data[:8], "little") ^ polynomial).to_bytes(8, "little") + data[8:]
    assert forged != data
    assert zlib.crc32(forged) == zlib.crc32(data)
    return forged


def test_file_cut_while_open_is_refused(path):
    write_archive(path, LARGE)
    with Archive.open(path) as opened:
        os.truncate(path, 2**20)
        with pytest.raises(BundleError, match="shorter"):
            opened.read("model/large")


# Damage


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_any_byte_changed_is_refused(path, mask):
    good = craft()
    for position in range(len(good)):
        changed = bytearray(good)
        changed[position] ^= mask
        refusal(path, bytes(changed))


def test_every_truncation_is_refused(path):
    good = craft()
    for length in range(len(good)):
        refusal(path, good[:length])


@pytest.mark.parametrize("byte", [b"\0", b"P", b"\n"])
def test_one_byte_more_is_refused(path, byte):
    good = craft()
    for position in range(len(good) + 1):
        refusal(path, good[:position] + byte + good[position:])


def test_two_archives_in_one_file_are_refused(path):
    assert "damaged" in refusal(path, craft() + craft())


def test_wrong_checksum_is_named_at_reading(path):
    path.write_bytes(craft(last={"crc": 1}))
    with Archive.open(path) as opened:
        assert opened.read("manifest.json") == MEMBERS[0][1]
        with pytest.raises(BundleError, match=r"checksum of `code/__init__\.py`"):
            opened.read("code/__init__.py")
        with pytest.raises(BundleError, match=r"checksum of `code/__init__\.py`"):
            opened.digest()


# Zip files that others would accept

FIELDS = {
    "encrypted": {"flags": 0x0001},
    "data descriptor flag": {"flags": 0x0008},
    "utf-8 flag": {"flags": 0x0800},
    "method deflate": {"method": 8},
    "version": {"version": 20},
    "time": {"time": 1},
    "date": {"date": 34},
    "extra field": {"extra": b"\x01\x00\x00\x00"},
    "unix times": {"extra": b"UT\x05\x00\x01\x00\x00\x00\x00"},
    "zip64 sizes": {"size": 2**32 - 1, "packed": 2**32 - 1, "extra": b"\x01\0\x10\0" + bytes(16)},
    "size too large": {"size": 2**32 - 1, "packed": 2**32 - 1},
    "size one too large": {"size": 1, "packed": 1},
    "unpacked size lies": {"size": 2**31},
    "packed size lies": {"packed": 1},
}
CENTRAL_FIELDS = {
    "made by DOS": {"made": 20},
    "comment of a member": {"comment": b"x"},
    "other disk": {"disk": 1},
    "text flag": {"internal": 1},
    "symbolic link": {"mode": 0o120777 << 16},
    "folder": {"mode": 0o040755 << 16 | 0x10},
    "executable": {"mode": 0o100755 << 16},
    "overlap": {"offset": 0},
    "overlap by one": {"offset": len(pack_local(b"manifest.json", MEMBERS[0][1], {})) - 1},
    "offset beyond the file": {"offset": 2**32 - 1},
}
END_FIELDS = {
    "comment": {"comment": b"PK"},
    "other disk": {"disk": 1},
    "fewer entries": {"count": 2, "here": 2},
    "more entries": {"count": 4, "here": 4},
    "no entries": {"count": 0, "here": 0},
    "entries elsewhere": {"here": 2},
    "too many entries": {"count": 65535, "here": 65535},
    "directory too long": {"size": 2**32 - 1},
    "directory further on": {"start": 2**32 - 1},
    "no directory": {"size": 0},
}


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
@pytest.mark.parametrize("only", [("local", "central"), ("local",), ("central",)], ids="-".join)
def test_other_header_is_refused(path, fields, only):
    assert "damaged" in refusal(path, craft(last=fields, only=only))


@pytest.mark.parametrize("fields", CENTRAL_FIELDS.values(), ids=CENTRAL_FIELDS)
def test_other_directory_entry_is_refused(path, fields):
    assert "damaged" in refusal(path, craft(last=fields, only=("central",)))


@pytest.mark.parametrize("fields", END_FIELDS.values(), ids=END_FIELDS)
def test_other_end_record_is_refused(path, fields):
    assert "damaged" in refusal(path, craft(end=fields))


@pytest.mark.parametrize("where", ["gap", "padding", "before"])
def test_bytes_of_no_member_are_refused(path, where):
    refusal(path, craft(**{where: b"#!/bin/sh\n"}))


def test_members_in_another_order_than_the_directory_are_refused(path):
    first, second, third = (pack_local(name.encode(), data, {}) for name, data in MEMBERS)
    good = craft()
    body = len(first + second + third)
    assert good[:body] == first + second + third
    assert "damaged" in refusal(path, first + third + second + good[body:])


def test_data_descriptor_is_refused(path):
    descriptor = struct.pack("<4s3L", b"PK\7\x08", 0, 0, 0)
    assert "damaged" in refusal(path, craft(last={"flags": 8}, gap=descriptor))


def test_zip64_end_record_is_refused(path):
    good = craft()
    start, size = struct.unpack("<2L", good[-6:-2] + good[-10:-6])
    zip64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 3, 3, size, start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + size, 1)
    assert "damaged" in refusal(path, good[:-22] + zip64 + locator + good[-22:])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_bundle_zipped_anew_is_damaged_not_foreign(path, method):
    with zipfile.ZipFile(path, "w", method) as made:
        for name, data in MEMBERS:
            made.writestr(name, data)
    assert is_archive(path.read_bytes())
    assert "damaged" in refusal(path, path.read_bytes())


def test_first_of_many_with_a_lying_size_is_refused(path):
    honest = struct.pack("<2L", len(MEMBERS[0][1]), len(MEMBERS[0][1]))
    forged = craft().replace(honest, b"\xff" * 8)
    assert len(forged) == len(craft())
    assert forged.count(b"\xff" * 8) == 2
    assert "damaged" in refusal(path, forged)


def test_directory_longer_than_its_entries_is_refused(path):
    good = craft()
    count, size, start = struct.unpack("<H2L", good[-12:-2])
    end = pack_end({"count": count, "size": size + 4, "start": start})
    assert "damaged" in refusal(path, good[:-22] + b"junk" + end)


def test_empty_directory_is_refused(path):
    body = pack_local(b"manifest.json", b"{}", {})
    assert "damaged" in refusal(path, body + pack_end({"count": 0, "size": 0, "start": len(body)}))


def peak_bytes_of_refusal(path):
    tracemalloc.start()
    try:
        with pytest.raises(BundleError):
            Archive.open(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_lying_sizes_take_no_memory(path):
    path.write_bytes(craft(last={"size": 2**32 - 1, "packed": 2**32 - 1}))
    assert peak_bytes_of_refusal(path) < 2**20


def test_endless_directory_takes_no_memory(path):
    start = len(craft()) - 22
    with path.open("wb") as file:
        file.write(craft()[:start])
        file.seek(start + 2**28)
        file.write(pack_end({"count": 1, "size": 2**28, "start": start}))
    assert peak_bytes_of_refusal(path) < 2**20


@pytest.mark.parametrize("length", [1000, 20_000, 65_535])
def test_name_longer_than_any_header_is_refused(path, length):
    members = [*MEMBERS, *((f"model/{number}", b"") for number in range(500)), (b"\xe9" * length, b"")]
    refusal(path, craft(members))


def test_too_many_members_are_refused(path):
    names = ["manifest.json", *(f"model/{number}" for number in range(MAX_MEMBERS))]
    check_names(names[:-1])
    with pytest.raises(BundleError, match="at most 10000"):
        write_archive(path, [(name, b"") for name in names])
    assert "damaged" in refusal(path, craft([(name, b"") for name in names]))


# Names


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_bad_name_is_not_written(path, name):
    with pytest.raises(BundleError) as caught:
        write_archive(path, [MEMBERS[0], (name, b"x")])
    assert caught.value.message.isprintable()
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_bad_name_is_not_read(path, name):
    assert refusal(path, craft([MEMBERS[0], (name.encode("utf-8"), b"x")])).isprintable()


@pytest.mark.parametrize("names", BAD_SETS, ids=" ".join)
def test_names_that_do_not_go_together_are_not_written(path, names):
    with pytest.raises(BundleError):
        write_archive(path, [(name, b"x") for name in names])
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("names", BAD_SETS, ids=" ".join)
def test_names_that_do_not_go_together_are_not_read(path, names):
    refusal(path, craft([(name, b"x") for name in names]))


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_good_name_is_written_and_read(path, name):
    write_archive(path, [MEMBERS[0], (name, b"x")])
    assert read_all(path) == [MEMBERS[0], (name, b"x")]


# What is no bundle


@pytest.mark.parametrize("data", [b"", b"P", b"PK\5\6" + bytes(18), b"\x80\x04K\x01.", b"{}", bytes(10_000)])
def test_other_file_is_not_a_bundle(path, data):
    assert not is_archive(data)
    assert "is not a bundle" in refusal(path, data)


def test_zip_of_another_kind_is_not_a_bundle(path):
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("schema.json", b"{}")
        made.writestr("manifest.json", b"{}")
    assert not is_archive(path.read_bytes())
    assert "is not a bundle" in refusal(path, path.read_bytes())


def test_first_bytes_tell_a_bundle(path):
    write_archive(path, MEMBERS)
    head = path.read_bytes()[:43]
    assert is_archive(head)
    assert not is_archive(head[:-1])
    assert not is_archive(craft([("manifest.jsonl", b"")]))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(BundleError, match=r"no such file: `.*iris\.lading`"):
        Archive.open(tmp_path / "iris.lading")


def test_symbolic_link_is_refused(path, tmp_path):
    write_archive(path, MEMBERS)
    link = tmp_path / "link.lading"
    link.symlink_to(path)
    with pytest.raises(BundleError, match="symbolic link"):
        Archive.open(link)


def test_folder_is_refused(tmp_path):
    with pytest.raises(BundleError):
        Archive.open(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_named_pipe_is_refused_without_waiting(path):
    os.mkfifo(path)
    with pytest.raises(BundleError, match="not a regular file"):
        Archive.open(path)


def test_device_is_refused():
    with pytest.raises(BundleError):
        Archive.open(Path(os.devnull))


def test_larger_file_than_allowed_is_refused(path):
    write_archive(path, MEMBERS)
    size = path.stat().st_size
    Archive.open(path, max_bytes=size).close()
    with pytest.raises(BundleError, match=f"{size} bytes; {size - 1} is the most"):
        Archive.open(path, max_bytes=size - 1)


def test_file_beyond_zip32_is_refused_whatever_is_allowed(path):
    with path.open("wb") as file:
        file.truncate(2**32)
    with pytest.raises(BundleError, match="4294967295 is the most"):
        Archive.open(path, max_bytes=2**40)


# Properties

segments = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,7}[A-Za-z0-9_-]\Z")
names = st.lists(segments, min_size=1, max_size=4).map("/".join)
members = st.lists(st.tuples(names, st.binary(max_size=64)), max_size=6)


@given(members, st.binary(max_size=64))
def test_members_come_back_or_are_refused(folder, others, manifest):
    path, given_members = folder / "round.lading", [("manifest.json", manifest), *others]
    try:
        digest = write_archive(path, given_members)
    except BundleError:
        with pytest.raises(BundleError):
            check_names([name for name, _ in given_members])
        return
    assert read_all(path) == given_members
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.read_bytes() == craft(given_members)


@given(st.binary(max_size=200), st.sampled_from([b"", craft()[:43], craft()[:60]]), st.booleans())
def test_noise_is_refused(folder, noise, head, has_end):
    tail = b""
    if has_end and len(head + noise) >= 59:
        tail = pack_end({"count": 1, "size": 59, "start": len(head + noise) - 59})
    refusal(folder / "noise.lading", head + noise + tail)


edits = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 8), st.binary(max_size=8)),
    min_size=1,
    max_size=4,
)


@given(edits)
def test_whatever_opens_is_what_we_would_write(folder, edits):
    path, data = folder / "edited.lading", craft()
    for start, length, piece in edits:
        data = data[:start] + piece + data[start + length :]
    path.write_bytes(data)
    try:
        found = read_all(path)
    except BundleError:
        return
    write_archive(path, found)
    assert path.read_bytes() == data


@given(st.integers(0, 2**16 - 1), st.binary(max_size=4), st.sampled_from(["flags", "time", "date", "method"]))
def test_consistent_header_fields_are_refused_unless_ours(folder, number, data, field):
    path, ours = folder / "fields.lading", [MEMBERS[0], ("model/model.joblib", data)]
    path.write_bytes(craft(ours, last={field: number}))
    if path.read_bytes() == craft(ours):
        assert read_all(path) == ours
    else:
        refusal(path, path.read_bytes())
