"""How Sphinx makes the site: `make docs`, then open build/docs/index.html."""

from digest import __version__

project = "digest"
release = __version__
author = "the authors of digest"
extensions = ["myst_parser", "sphinx_click"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"digest {release}"
exclude_patterns = ["conf.py"]
suppress_warnings = ["myst.xref_missing"]  # links to files of the repository: README, templates
