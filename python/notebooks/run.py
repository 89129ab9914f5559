"""Executes the notebooks, in the order of their names; with --write, keeps what they print and draw.

A cell that raises, an assertion included, ends this with its error.
"""

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent


def execute(path: Path, write: bool) -> None:
    """Runs one notebook in its folder."""
    book = nbformat.read(path, as_version=4)
    began = time.monotonic()
    NotebookClient(book, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(HERE)}}).execute()
    print(f"{path.name}: {time.monotonic() - began:.0f} s", flush=True)
    if write:
        for cell in [cell for cell in book.cells if cell.cell_type == "code"]:
            cell.metadata.pop("execution", None)
            # how far a run is, and what libraries say, is not part of the page
            cell.outputs = [o for o in cell.get("outputs", []) if o.get("name") != "stderr"]
        nbformat.write(book, path)


def main() -> None:
    """All of them, or those named."""
    wanted = [word for word in sys.argv[1:] if not word.startswith("--")]
    for path in sorted(HERE.glob("*.ipynb")):
        if not wanted or path.name in wanted:
            execute(path, "--write" in sys.argv)


if __name__ == "__main__":
    main()
