"""The docs site: README.md is its front page, the pages beside this file follow. ``make docs`` builds it.

The source folder is the repository's root, so that links between README.md, CHANGELOG.md, CONTRIBUTING.md and docs/
are the same on the site and where the files are read as they are.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(Path(__file__).parent))  # for public_names.py

project = "rla_hooks"
author = "the authors of rla_hooks"
extensions = ["myst_parser", "sphinx.ext.autodoc", "public_names"]
root_doc = "README"
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md"]
exclude_patterns = [entry.name for entry in ROOT.iterdir() if entry.is_dir() and entry.name != "docs"]

# What README does not show, and the site needs: the order of the pages.
CONTENTS = """
```{toctree}
:hidden:
:caption: Use it

docs/lightning
docs/keras
docs/frameworks
docs/from_wandb
docs/from_tensorboard
docs/from_mlflow
docs/query
docs/plots
docs/cli
docs/tidy
docs/sweep
docs/remote
docs/clusters
docs/statistics
docs/settings
docs/layout
docs/reliability
docs/trials
docs/state
docs/compared
docs/benchmarks
docs/security
docs/rla
docs/examples
docs/words
docs/api
```

```{toctree}
:hidden:
:caption: Build on it

docs/architecture
docs/hooks
docs/api-parts
CONTRIBUTING
CHANGELOG
```
"""

myst_heading_anchors = 3
nitpicky = True
# Types in signatures: of other packages, of the inside, and names for longer types. All else must lead somewhere.
nitpick_ignore_regex = [
    ("py:class", r"(?!rla_hooks)[a-z_]+\..*|Path"),
    (
        "py:class",
        r"rla_hooks\.(claims|core|progress|query\.(entry|frames|stored))\..*|.*\b(HasCheckpoints|RunBlock|Tracked|Tracks)",
    ),
    ("py:attr", r"\w+"),  # of the class that the docstring is of
    (
        "py:class",
        r"(dict|list|tuple)\[.*|(.*\.)?(datetime|ErrorTypes|F|Figures|Hint|Media|P|Path_|Positions|R|Resume|Scalar|Writers)",
    ),
    ("py:class", r"Found|PathUsage|RunUsage|Size"),
    ("py:class", r"rla_hooks\.(easy_log\.formats|paper_tables\.grid|progress|upkeep\.usage_parts)\..*"),
]

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 90  # longer ones are shown with a line for each argument
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "rla_hooks"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["static"]
html_css_files = ["site.css"]
templates_path = ["templates"]
html_additional_pages = {"index": "start.html"}  # README.html has the text


def _add_contents(app: Sphinx, docname: str, source: list[str]) -> None:
    if docname == root_doc:
        source[0] += CONTENTS


def setup(app: Sphinx) -> None:
    app.connect("source-read", _add_contents)
