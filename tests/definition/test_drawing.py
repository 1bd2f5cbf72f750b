"""The README's picture is the definition's."""

from definition import ROOT
from draw import drawn_into


def test_the_readme_shows_the_committed_state_machine():
    readme = (ROOT / "README.md").read_text()
    assert drawn_into(readme) == readme, "run: make workflow"
