"""The package page, made of README.md; everything else about the package stands in pyproject.toml.

A package index shows the README alone: neither the pictures beside it nor what relative links lead to, and
this project does not know the address that it is published under. So pictures are left out with their
captions, and a link gives way to the path of the file in the repository.
"""

import re
from pathlib import Path

from setuptools import setup

PICTURE = re.compile(r"^!\[[^\]]*\]\((?!https?:)[^)]*\)\n\n(?:\*(?:[^*]|\n)+\*\n\n)?", re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)]*)\)")


def package_page(readme: str) -> str:
    """The README without pictures, with paths in place of relative links."""
    return LINK.sub(r"`\1`", PICTURE.sub("", readme))


setup(
    long_description=package_page(Path(__file__).with_name("README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
)
