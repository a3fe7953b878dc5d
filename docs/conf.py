"""How Sphinx makes the documentation (`make docs`).

Two directives of our own keep the pages true: `opsin-help VERB` is what `opsin VERB --help`
prints, and `notebook FILE` is a notebook as text. Nothing is fetched, neither now nor by a reader.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import opsin

project = "opsin"
author = "the authors of opsin"
release = version = opsin.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["README.md"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 80
add_module_names = False

html_theme = "furo"
html_title = f"opsin {release}"
html_copy_source = False
html_show_sphinx = False


class Help(SphinxDirective):
    """What a verb, as in `evaluate colorize`, says of itself."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        verb = " ".join(self.arguments).split()
        call = [sys.executable, "-m", "opsin", *verb, "--help"]
        plain = os.environ | {"COLUMNS": "88", "NO_COLOR": "1"}
        text = subprocess.run(call, env=plain, capture_output=True, text=True, check=True).stdout
        return [nodes.literal_block(text, text.strip(), language="text")]


class Notebook(SphinxDirective):
    """The cells of a notebook: its words as they are, its code as blocks of Python."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir, self.arguments[0])
        self.env.note_dependency(str(path))
        lines: list[str] = []
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            code = cell["cell_type"] == "code"
            lines += [*(f"```python\n{source}\n```" if code else source).splitlines(), ""]
        holder = nodes.container()
        self.state.nested_parse(StringList(lines, str(path)), 0, holder)
        return holder.children


def plain_words(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Docstrings are text with `code` in it; reStructuredText would take a*b* for emphasis."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            line = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", line)
            lines[number] = "".join(
                part if part.startswith("``") else part.replace("*", r"\*")
                for part in re.split(r"(``.*?``)", line)
            )


def setup(app: Sphinx) -> None:
    app.add_directive("opsin-help", Help)
    app.add_directive("notebook", Notebook)
    app.connect("autodoc-process-docstring", plain_words)
