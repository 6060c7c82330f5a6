"""The config file that ``rla init`` writes: all keys, with their defaults and a line on each."""

from __future__ import annotations

_LOG_ROOT = "./rla_data"
TEMPLATE = """\
# The settings of rla_hooks, for programs that are started in this folder or below it. docs/settings.md tells more.
# Every key may be left out, or have no value: then its default counts. As it is, this file changes no default.
# Relative paths begin at this folder; ~ and $VARIABLES are expanded.

# The folder that holds all runs.
LOG_ROOT: ./rla_data

# Where metrics go. Without a value the first four, but stdout is left to a framework's progress bar.
LOG_USED:               # some of [csv, tensorboard, stdout, log, json, warn, backup]

# The most tables per second on stdout and in log.txt. csv and tensorboard have every row.
TABLES_PER_SECOND: 2

# Whether log waits for values that an accelerator has not computed yet. With false, rows of them are written later.
LOG_WAIT: true

# Seconds between two rows of system.csv: the use of the machine, and of its GPUs. Without a value there is none.
SYSTEM_METRICS:         # such as 10

PROJECT_TYPE:
  # What is copied at the start of a run: source (the project), lib (the folder lib_dir) or none.
  backup_code_by: source

# The project's folder. Without a value it is found around the main script.
PROJECT_ROOT:

# Of the code backup; the paths begin at PROJECT_ROOT.
BACKUP_CONFIG:
  # With source: the files and folders to copy. None named: the whole project.
  backup_code_dir: []   # such as [my_project, scripts/train.py]
  # With lib: the folder to copy.
  lib_dir:
  # Files with lines of Git's ignore rules, beside the project's .gitignore, which counts anyway.
  ignore_code_paths: []
  # Larger files are left out: megabytes.
  max_file_mb: 10
  # Whether folders of data, and the outputs of other tools, are copied, too.
  data_files: false

# Lines of Git's ignore rules.
IGNORE_RULE: []         # such as ["*.mp4", "data/"]

# The framework of checkpoints that hold no object of it: torch or tensorflow.
DL_FRAMEWORK:

# Whether runs send themselves to another machine while they go on; see docs/remote.md.
SEND_LOG_FILE: false
# How often: seconds. They do it at checkpoints, at flush and at the end, too.
SEND_EVERY: 60
# What is sent: some of [log, code, results, checkpoint].
SEND: [log, code, results]
REMOTE_SETTING:
  url:                      # such as ssh://me@host/data/rla_data; or the keys of RLA below
  options:                  # of the connection, such as {client_keys: [~/.ssh/lab]}
  ftp_server:
  username:
  password:                 # better as ${NAME}: a variable of the environment
  port:
  remote_log_root:
  remote_data_root:
  file_transfer_protocol:   # ftp or sftp
"""


def template(log_root: str | None = None) -> str:
    """Return the content of a config file; with this log root in place of the default one.

    >>> template("/data/my runs").splitlines()[5]
    'LOG_ROOT: "/data/my runs"'
    """
    if log_root is None:
        return TEMPLATE
    import yaml

    quoted = yaml.safe_dump(log_root, default_style='"', allow_unicode=True, width=float("inf"))
    return TEMPLATE.replace(f"LOG_ROOT: {_LOG_ROOT}\n", f"LOG_ROOT: {quoted}", 1)
