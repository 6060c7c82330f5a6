"""Hooks into training frameworks. Import the file of yours: importing it is what imports the framework.

This folder is installed as ``rla_hooks.integrations``.
"""

if __name__ != "rla_hooks.integrations":
    # Under another name the same classes would exist twice, and isinstance would fail in surprising places.
    raise ImportError(
        f"the folder integrations/ was imported as {__name__!r}. Its name is rla_hooks.integrations: write "
        "'from rla_hooks.integrations import ...' and install the project with 'pip install -e .'."
    )
