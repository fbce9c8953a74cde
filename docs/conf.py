"""Sphinx configuration: MyST pages, furo, nothing from the network."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pdehvd import __version__  # noqa: E402

project = "pdehvd"
author = "the pdehvd authors"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "combinations",
    "config_reference",
    "mathml",
    "plain_docstrings",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_ext", "examples", "notebooks", "pictures"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"

smartquotes = False

html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"pdehvd {version}"
html_copy_source = False
html_show_sourcelink = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
