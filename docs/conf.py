"""Configuration of the documentation site; `make docs` builds it."""

import sys
from pathlib import Path

# The experiments lie beside the package, not in it.
sys.path.insert(0, str(Path(__file__).parents[1]))

from monai_advdefense import __version__

project = "monai_advdefense"
author = "the monai_advdefense contributors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["deflist"]
# Headings as targets of links, down to the third level.
myst_heading_anchors = 3
exclude_patterns = ["build"]
# The READMEs of the bundles have the headings of the model zoo's template.
suppress_warnings = ["myst.header"]
autodoc_member_order = "groupwise"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# Else the fields of a named tuple are described twice.
napoleon_use_ivar = True
# Ours alone: nothing is fetched while the site is built.
html_theme = "furo"
html_title = f"monai_advdefense {release}"
html_show_sourcelink = False
# Commands in captions keep their two hyphens.
smartquotes = False
