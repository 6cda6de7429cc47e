"""Make docs/pictures/gallery/*.png, small, of the pictures of a gallery in the paper's sizes.

harmonium gallery --full --output gallery && python docs/pictures/gallery.py gallery
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH = 960
#: Shades of each colour: enough for these pictures, in files half as large.
SHADES = 32


def main(folder):
    target = Path(__file__).with_name("gallery")
    target.mkdir(exist_ok=True)
    for path in sorted(Path(folder).glob("fig*.png")):
        picture = Image.open(path).convert("RGB")
        height = round(picture.height * WIDTH / picture.width)
        small = np.asarray(picture.resize((WIDTH, height), Image.Resampling.LANCZOS)) / 255
        rounded = np.rint(np.rint(small * (SHADES - 1)) * (255 / (SHADES - 1)))
        Image.fromarray(rounded.astype(np.uint8)).save(target / path.name, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
