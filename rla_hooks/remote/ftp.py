"""A log root on a server of FTP, with TLS or without: its transfers are those of ftplib.

fsspec's own ways break a transfer off to end it, which servers resent, and leave the end of a longer file there.
"""

from __future__ import annotations

import ftplib
import io
import posixpath
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from rla_hooks.remote.address import Address
from rla_hooks.remote.errors import RemoteError
from rla_hooks.remote.files import and_above
from rla_hooks.remote.place import Place

_BLOCK = 1 << 16


class FtpPlace(Place):
    """The log root at an address of FTP. One connection does one thing at a time."""

    def __init__(self, address: Address, fs: Any, root: str):
        super().__init__(address, fs, root)
        self.at_once, self.has_links = 1, False

    def fetch(self, name: str, file: Path) -> None:
        with self.telling(), open(file, "wb") as target:
            self.fs.ftp.retrbinary(f"RETR {self.path(name)}", target.write, _BLOCK)

    def pieces(self, name: str, start: int, end: int) -> Iterator[bytes]:
        if start >= end:
            return
        with self.telling():
            self.fs.ftp.voidcmd("TYPE I")
            line = self.fs.ftp.transfercmd(f"RETR {self.path(name)}", rest=start or None)
            try:
                while start < end and (data := line.recv(min(_BLOCK, end - start))):
                    yield data
                    start += len(data)
                if start < end or not line.recv(1):  # it has come to its end, and says so with TLS
                    _say_end(line)
            finally:
                line.close()
                with suppress(ftplib.Error):  # the rest is not wanted: the server says that it was broken off
                    self.fs.ftp.voidresp()

    def put(self, file: Path, name: str) -> None:
        with open(file, "rb") as source:
            self.write(name, source, 0)

    def write(self, name: str, source: BinaryIO, start: int) -> None:
        with self.telling():
            self._make(posixpath.dirname(self.path(name)))
            try:
                self.fs.ftp.storbinary(f"{'APPE' if start else 'STOR'} {self.path(name)}", source, _BLOCK)
            except ConnectionError:
                self.fs._connect()  # a late reply would be taken for the next one's
                raise RemoteError(
                    f"{self.address}: the server broke the transfer off. Its disk may be full, or over a quota"
                ) from None

    def _make(self, folder: str) -> None:
        """Make a folder; where another sender makes it at the same time, nothing is wrong."""
        for each in and_above(folder) if folder not in self._made else ():
            if each and each not in self._made:
                with suppress(ftplib.error_perm):  # it is there; or the next command says why not
                    self.fs.ftp.mkd(each)
                self._made.add(each)

    def good_until(self, size: int) -> int:
        return size  # bytes come in their order

    def append(self, name: str, data: bytes, start: int) -> None:
        self.write(name, io.BytesIO(data), 1)

    def _rename(self, old: str, new: str) -> None:
        try:
            self.fs.mv(old, new)
        except ftplib.Error:
            self.fs.rm_file(new)  # some servers rename onto no file
            self.fs.mv(old, new)


def _say_end(line: Any) -> None:
    if isinstance(line, ssl.SSLSocket):
        with suppress(OSError):
            line.unwrap()
