"""Log roots on other machines: runs are pushed to them, pulled from them, and listed there.

    address.py     where it is: a URL, or REMOTE_SETTING
    named.py       the remotes that ``rla remote add`` has named, and that of the config
    opening.py     a connection to it, as a file system of fsspec
    place.py       the log root there: its files, and what may be done to them (ftp.py: by FTP)
    files.py       what is known of a file, which files count, and whose they are
    local_files.py the files of runs in a log root here
    planning.py    what is to be sent, or fetched
    moving.py      sends or fetches it, by rsync (rsync.py) or fsspec (by_file.py, together.py several at once)
    parts.py       large files, whose transfer goes on where it broke off
    same_runs.py   whether runs of one name are one run, and whether a run is there under another name
    marks.py       what both sides had after the last transfer: a cache
    listing.py     the small files of a remote's runs, kept in a cache, so that they can be listed
    live.py        the process that sends a run while it goes on

It reads and writes files, and never needs the run that is open.
"""

from rla_hooks.remote.address import Address as Address
from rla_hooks.remote.errors import RemoteError as RemoteError

__all__ = ["Address", "RemoteError"]
