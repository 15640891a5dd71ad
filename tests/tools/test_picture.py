"""The README's picture shows the evidence that is stored now."""

from picture import PICTURE, ROOT, fingerprint
from PIL import Image


def test_the_picture_is_drawn_from_the_stored_evidence():
    with Image.open(PICTURE) as image:
        assert image.text["Evidence"] == fingerprint(), "run `make picture`"


def test_the_readme_shows_it():
    text = (ROOT / "README.md").read_text()
    assert PICTURE.relative_to(ROOT).as_posix() in text
