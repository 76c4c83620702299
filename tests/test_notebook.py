"""The notebook of examples/ runs from its first cell to its last, with fewer images a run."""

import pathlib
import re

import pytest

NOTEBOOK = pathlib.Path(__file__).parent.parent / "examples" / "ship.ipynb"

nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel")
nbformat = pytest.importorskip("nbformat", reason="needs nbformat")
pytest.importorskip("ipykernel", reason="needs ipykernel")


def test_notebook_runs_and_shows_sheets(tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        cell.source = re.sub(r"\bn=\d+", "n=6", cell.source)
    assert sum(cell.source.count("n=6") for cell in notebook.cells) == 3
    nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": tmp_path}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    sheets = [o for o in outputs if "text/html" in o.get("data", {})]
    assert len(sheets) == 4
    assert all("data:image/png;base64," in sheet["data"]["text/html"] for sheet in sheets)
    text = "".join(o.get("text", "") for o in outputs)
    assert "From middling to extreme ships" in text
    assert not any(cell.get("outputs") for cell in nbformat.read(NOTEBOOK, as_version=4).cells)
