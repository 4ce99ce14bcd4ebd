"""From a server of FTP, from HDFS, or from another folder of this machine.

FTP is spoken by the standard library, HDFS by pyarrow. fsspec would put itself before these same two, and reads a file
of FTP whole into memory or in blocks with a connection each.
"""

from __future__ import annotations

import ftplib
import socket
from pathlib import Path
from urllib.parse import unquote

from lading.bundle.names import shown
from lading.errors import EnvironmentMismatch, LadingError, UsageError
from lading.ship.fetch.address import Address
from lading.ship.fetch.transfer import PIECE_BYTES, NotThere, Sink

_HADOOP = "JAVA_HOME, HADOOP_HOME and CLASSPATH=$($HADOOP_HOME/bin/hadoop classpath --glob) say where they are"


def read_path(address: Address, sink: Sink) -> None:
    """Read a file of this machine.

    Raises:
        NotThere: there is no such file.
        UsageError: it cannot be read, or is no file.
    """
    path = Path(address.path)
    try:
        if not path.is_file():  # a pipe would have us wait, and links are well
            raise UsageError(f"{shown(address.path)} is no file") if path.exists() else _missing(address)
        with path.open("rb") as file:
            sink.size = path.stat().st_size
            while piece := file.read(PIECE_BYTES):
                sink.write(piece)
    except OSError as error:
        raise UsageError(f"cannot read {shown(address.path)}: {error.strerror or error}") from None


def read_ftp(address: Address, sink: Sink, timeout_s: float) -> None:
    """Read a file from a server of FTP; who is not named is `anonymous`.

    Raises:
        NotThere: the server has no such file.
        LadingError: it does not give it.
    """
    try:
        with ftplib.FTP(timeout=timeout_s) as connection:
            _log_in(connection, address)
            connection.voidcmd("TYPE I")
            sink.size = _size(connection, address.path)
            connection.retrbinary(f"RETR {address.path}", sink.write, PIECE_BYTES)
    except (OSError, EOFError, ftplib.Error, UnicodeError) as error:
        raise _failed_ftp(address, error) from None


def _log_in(connection: ftplib.FTP, address: Address) -> None:
    parts = address.parts
    connection.connect(parts.hostname or "", parts.port or ftplib.FTP_PORT)
    connection.login(unquote(parts.username or ""), unquote(parts.password or ""))


def _size(connection: ftplib.FTP, path: str) -> int | None:
    try:
        return connection.size(path)
    except ftplib.error_perm as error:
        if str(error).startswith("55"):  # 550: there is no such file. Others do not know SIZE (RFC 3659)
            raise
        return None


def _failed_ftp(address: Address, error: Exception) -> LadingError:
    where, answer = shown(str(address)), str(error)[:3]
    if isinstance(error, ftplib.error_perm) and answer == "550":
        return NotThere(f"there is no {where}, or none that may be read", hint="is the address right?")
    if isinstance(error, ftplib.error_perm) and answer == "530":
        return LadingError(f"{where} cannot be fetched: the server lets this user not in", hint="ftp://USER:PASSWORD@…")
    if isinstance(error, ftplib.Error):
        return LadingError(f"{where} cannot be fetched: the server answers {answer}", hint="try again")
    if isinstance(error, socket.gaierror | UnicodeError):
        return LadingError(f"{where} cannot be fetched: the name of its host is not known", hint="is it spelled right?")
    if isinstance(error, EOFError | ConnectionResetError):
        return LadingError(f"{where} cannot be fetched: the connection broke off", hint="try again")
    what = "no answer in time" if isinstance(error, TimeoutError) else "no connection"
    return LadingError(f"{where} cannot be fetched: {what}", hint="does a firewall let it through?")


def read_hdfs(address: Address, sink: Sink) -> None:
    """Read a file from HDFS.

    Raises:
        NotThere: it has no such file.
        EnvironmentMismatch: pyarrow, Java or libhdfs is missing; says which.
        LadingError: it does not give it.
    """
    try:
        from pyarrow import fs
    except ModuleNotFoundError as error:
        message = "pyarrow, which speaks to hdfs://, is not installed"
        raise EnvironmentMismatch(message, hint='pip install "lading[arrow]"') from error
    parts = address.parts
    try:
        store = fs.HadoopFileSystem(parts.hostname or "default", parts.port or 0, user=parts.username)
        with store.open_input_stream(f"/{address.path}") as file:
            while piece := file.read(PIECE_BYTES):
                sink.write(piece)
    except FileNotFoundError:
        raise _missing(address) from None
    except OSError as error:
        raise _failed_hdfs(address, str(error)) from None


def _failed_hdfs(address: Address, text: str) -> LadingError:
    for library, what in (("libjvm", "a Java runtime"), ("libhdfs", "libhdfs of Hadoop")):
        if library in text.partition("\n")[0]:
            message = f"hdfs:// needs {what}, and {library}.so is not found or does not load"
            return EnvironmentMismatch(message, hint=_HADOOP)
    return LadingError(f"{shown(str(address))} cannot be fetched: the namenode does not give it", hint=_HADOOP)


def _missing(address: Address) -> NotThere:
    return NotThere(f"there is no {shown(str(address))}", hint="is the path right?")
