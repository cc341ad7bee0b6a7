"""How Sphinx builds the site and the manual page: `make docs`."""

from __future__ import annotations

import sys
from importlib.metadata import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Django Backstage"
author = "the authors of Django Backstage"
about = metadata("django_backstage")
release = about["Version"]
# One line of a manual on any terminal.
purpose = about["Summary"].removesuffix(" on the fly")
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
    "command_pages",
    "docstrings",
]
exclude_patterns = ["_*"]
# Our docstrings and help texts put code between single backticks.
default_role = "literal"
# Dashes and quotes are meant to be typed.
smartquotes = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# Pages are read on a forge as well, which knows these schemes.
myst_url_schemes = ["https", "mailto"]

add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 72

# What stands behind a prompt is copied; the prompt and the output are not.
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_title = "Django Backstage"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/mark.svg"
html_logo = "_static/mark.svg"
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_theme_options = {
    "sidebar_hide_name": False,
    "light_css_variables": {
        "color-brand-primary": "#8f1d3f",
        "color-brand-content": "#8f1d3f",
        "color-brand-visited": "#6a2a5a",
        "code-font-size": "0.78rem",
    },
    "dark_css_variables": {
        "color-brand-primary": "#ff9db3",
        "color-brand-content": "#ff9db3",
        "color-brand-visited": "#d9a5d0",
    },
}

man_pages = [
    (
        "reference/commands/index",
        "backstage",
        purpose[:1].lower() + purpose[1:],
        "",
        1,
    )
]
# The page is kept with the sources: it changes with the program, not with the day.
today = " "
