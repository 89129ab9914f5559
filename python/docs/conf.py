"""Of the reference."""

project = "marginflow"
author = "the marginflow developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "show-inheritance": True}
myst_enable_extensions = ["dollarmath"]
suppress_warnings = ["myst.xref_missing"]
