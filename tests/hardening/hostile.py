"""Bundles that mean harm: they touch a canary file when anything in them is run, and no signature vouches for them."""

import io
import json
import pickle
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import joblib
import msgspec

from lading.bundle.bundle import Bundle, write_bundle
from lading.bundle.layout import Entry, directory, local_header
from lading.bundle.manifest import Manifest, Member, encode_manifest


class Call:
    """A pickle that calls a function when it is opened."""

    def __init__(self, fn: Any, *arguments: Any) -> None:
        self.call = fn, arguments

    def __reduce__(self) -> Any:
        return self.call


def named(module: str, name: str, *arguments: Any) -> bytes:
    """A pickle, protocol 4, that calls what is named with these texts."""
    texts = b"".join(b"X" + struct.pack("<I", len(text)) + text.encode() for text in (module, name))
    given = b"".join(_argument(value) for value in arguments)
    return b"\x80\x04" + texts + b"\x93" + b"(" + given + b"tR."


def _argument(value: Any) -> bytes:
    return value if isinstance(value, bytes) else pickle.dumps(value, 3)[2:-1]


def command(canary: Path) -> str:
    """What touches the canary, for a shell."""
    return f"touch '{canary}'"


def source(canary: Path) -> str:
    """What touches the canary, in Python."""
    return f"open({str(canary)!r}, 'a').close()"


def payloads(canary: Path) -> dict[str, bytes]:
    """Pickles that touch the canary, in the ways that scanners were found to pass over."""
    shell, python = command(canary), source(canary)
    system = b"cposix\nsystem\n(X" + struct.pack("<I", len(shell)) + shell.encode() + b"tR."
    plain = named("os", "system", shell)
    made: dict[str, bytes] = {
        "os.system": plain,
        "posix.system": system,
        "builtins.exec": named("builtins", "exec", python),
        "builtins.eval": named("builtins", "eval", python),
        "subprocess.call": named("subprocess", "call", ["touch", str(canary)]),
        "subprocess.getoutput": named("subprocess", "getoutput", shell),
        "subprocess.check_output": named("subprocess", "check_output", ["touch", str(canary)]),
        "cProfile": named("cProfile", "runctx", python, {}, {}),
        "profile.run": named("profile", "run", python),
        "bdb": named("bdb", "Bdb.run", b"cbdb\nBdb\n)R", python),
        "runstring of NumPy": named("numpy.testing._private.utils", "runstring", python, {}),
        "a name with dots": named("os", "path.os.system", shell),
        "through a module that imported it": named("joblib.memory", "os.system", shell),
        "protocol 0": _protocol_0(shell),
        "INST": b"(S'" + shell.replace("'", "\\'").encode() + b"'\nios\nsystem\n.",
        "OBJ": b"(cos\nsystem\nX" + struct.pack("<I", len(shell)) + shell.encode() + b"o.",
        "behind another pickle": pickle.dumps("harmless")[:-1] + plain[2:],
        "before the end is broken": plain[:-1] + b"\xff\xff\xff\xff",
        "cut off behind it": plain[:-1],
        "in a memo": _in_a_memo(shell),
        "in a dictionary": pickle.dumps({"model": Call(eval, python)}, 4),
        "as a key": pickle.dumps({Hashed(python): 1}, 4),
        "deep inside": pickle.dumps([[[[Call(exec, python)]]]], 5),
        "framed twice": pickletools.optimize(pickle.dumps(Call(exec, python), 4)),
        "through a partial": named("functools", "reduce", b"cbuiltins\neval\n", [python, {}]),
        "through map": _through_map(python),
        "through operator": _through_methodcaller(shell),
        "through pkgutil": _resolved("pkgutil", "resolve_name", ["os:system"], shell),
        "through importlib": _through_importlib(shell),
        "through getattr": _through_getattr(shell),
    }
    for name in ("zlib", "gzip", "lzma", "xz", "bz2"):
        file = io.BytesIO()
        joblib.dump(Call(exec, python), file, compress=(name, 3))
        made[f"joblib, {name}"] = file.getvalue()
    return made


class Hashed(Call):
    """A call that may be the key of a dictionary."""

    def __init__(self, python: str) -> None:
        super().__init__(eval, python)

    def __hash__(self) -> int:
        return 1


def _protocol_0(shell: str) -> bytes:
    return b"cos\nsystem\n(V" + shell.encode("raw_unicode_escape") + b"\ntR."


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def _in_a_memo(shell: str) -> bytes:
    return (
        b"\x80\x04"
        + _text("os")
        + b"\x940"
        + _text("system")
        + b"\x940h\x00h\x01\x93\x940h\x02("
        + _text(shell)
        + b"tR."
    )


def _through_map(python: str) -> bytes:
    return b"\x80\x04cbuiltins\nlist\n(cbuiltins\nmap\n(cbuiltins\nexec\n(" + _text(python) + b"ltRtR."


def _through_methodcaller(shell: str) -> bytes:
    caller = b"coperator\nmethodcaller\n(" + _text("system") + _text(shell) + b"tR"
    return (
        b"\x80\x04cbuiltins\nlist\n(cbuiltins\nmap\n("
        + caller
        + b"(cimportlib\nimport_module\n("
        + _text("os")
        + b"tRltRtR."
    )


def _resolved(module: str, name: str, arguments: Sequence[str], shell: str) -> bytes:
    inner = f"c{module}\n{name}\n(".encode() + b"".join(map(_text, arguments)) + b"tR"
    return b"\x80\x04" + inner + b"(" + _text(shell) + b"tR."


def _through_importlib(shell: str) -> bytes:
    module = b"cimportlib\nimport_module\n(" + _text("os") + b"tR"
    return b"\x80\x04cbuiltins\ngetattr\n(" + module + _text("system") + b"tR(" + _text(shell) + b"tR."


def _through_getattr(shell: str) -> bytes:
    module = b"cbuiltins\n__import__\n(" + _text("os") + b"tR"
    return b"\x80\x04cbuiltins\ngetattr\n(" + module + _text("system") + b"tR(" + _text(shell) + b"tR."


# --- bundles


def rewritten(bundle: Path, path: Path, members: dict[str, bytes] | None = None, **changes: Any) -> Path:
    """The bundle with other members or another manifest, written by the package's own writer."""
    with Bundle.open(bundle) as opened:
        manifest = opened.manifest
        kept = {member.path: opened.read(member.path) for member in manifest.files if member.path != manifest.model}
        model = {manifest.model: opened.read(manifest.model)} if "model" not in changes else {}
    write_bundle(path, msgspec.structs.replace(manifest, **changes), kept | model | (members or {}))
    return path


def evil(bundle: Path, path: Path, data: bytes, name: str = "model.pkl", flavor: str = "sklearn") -> Path:
    """A bundle whose model's file has these bytes."""
    return rewritten(bundle, path, {f"model/{name}": data}, model=f"model/{name}", flavor=flavor)


def crafted(
    bundle: Path,
    path: Path,
    *,
    named: Callable[[str], str] = lambda name: name,
    listed: Callable[[str], str] = lambda name: name,
) -> Path:
    """A zip whose headers are consistent, with other names than a writer would allow.

    Args:
        bundle: whose members it gets.
        path: where to write.
        named: a member's name in the zip.
        listed: in the manifest.
    """
    with Bundle.open(bundle) as opened:
        manifest = opened.manifest
        data = {member.path: opened.read(member.path) for member in manifest.files}
    files = tuple(Member(listed(item.path), item.sha256, item.size) for item in manifest.files)
    changed: Manifest = msgspec.structs.replace(manifest, files=files, model=listed(manifest.model))
    members = [("manifest.json", encode_manifest(changed)), *((named(name), each) for name, each in data.items())]
    path.write_bytes(zipped(members))
    return path


def zipped(members: Sequence[tuple[str, bytes]]) -> bytes:
    """A stored zip as our writer would write it, were the names allowed; beyond Latin-1 they are UTF-8."""
    entries: list[Entry] = []
    body = b""
    for name, data in members:
        raw = name.encode("utf-8", "surrogateescape").decode("latin-1")
        entries.append(Entry(raw, len(data), zlib.crc32(data), len(body)))
        body += local_header(entries[-1]) + data
    return body + directory(entries)


def overlapping(count: int, kernel: bytes) -> bytes:
    """A zip of many names for the same compressed bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("manifest.json", kernel)
    whole = file.getvalue()
    start = whole.index(b"PK\1\2")
    header, end = bytearray(whole[start : whole.index(b"PK\5\6")]), whole[whole.index(b"PK\5\6") :]
    headers = b"".join(_renamed(header, number) for number in range(count))
    return whole[:start] + headers + end[:8] + struct.pack("<2H2L", count, count, len(headers), start) + end[20:]


def _renamed(header: bytes, number: int) -> bytes:
    return header.replace(b"manifest.json", b"%013d" % number) if number else bytes(header)


# --- skops


def skops_naming(loader: str, node: dict[str, Any], model: bytes) -> bytes:
    """A skops file with a node that calls what it does not say, in place of its model."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model)) as old, zipfile.ZipFile(file, "w") as new:
        schema = json.loads(old.read("schema.json"))
        kept = {name: schema[name] for name in ("protocol", "_skops_version") if name in schema}
        new.writestr("schema.json", json.dumps({"__loader__": loader, "__id__": 1, **node, **kept}))
    return file.getvalue()
