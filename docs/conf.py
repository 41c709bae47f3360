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


def setup(app):
    """Examples and exit codes of each command, as `--help` has them (digest.cli.manual)."""
    from digest.cli.manual import below, entry

    def about(_app, context, lines):
        found = entry(context.command_path)
        if found and found.about:
            lines += ["", found.about, ""]

    def epilog(_app, context, lines):
        for paragraph in below(context.command_path):
            first, *rest = paragraph.removeprefix("\b\n").splitlines()
            lines += ["", f"{first[:-1]}::" if rest else first, "", *rest, ""]

    app.connect("sphinx-click-process-description", about)
    app.connect("sphinx-click-process-epilog", epilog)
