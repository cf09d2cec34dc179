"""Write a public data set out as ordinary image files, for ``improve-git init`` to read.

    python benchmarks/datasets.py elpv|digits|emoji FOLDER

elpv    2,624 electroluminescence images of solar cells in four classes by their probability of a
        defect (Deitsch et al. 2019), one folder a class; from the PyPI package elpv-dataset
digits  1,797 images of 8x8 pixels, one folder a class; from scikit-learn
emoji   3,812 colour drawings of 64x64 pixels in nine categories, each emoji as two vendors draw
        it, with a manifest.csv whose group keeps the two together; from the npm packages
        emoji-datasource-google and emoji-datasource-twitter, fetched with ``npm pack``
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from improve_git.datasets import digits
from improve_git.files import new_folder

ELPV_CLASSES = {0.0: "p000", 1 / 3: "p033", 2 / 3: "p067", 1.0: "p100"}
EMOJI_VENDORS = ("google", "twitter")
EMOJI_VERSION = "16.0.0"
EMOJI_NO_CLASS = "Component"  # skin tones and hair, five images that are no emoji of their own


def write_elpv(folder: Path) -> Counter[str]:
    try:
        import elpv_dataset
    except ImportError:
        sys.exit("elpv needs the package elpv-dataset: pip install elpv-dataset")
    source = Path(elpv_dataset.__file__).parent / "data"
    counts: Counter[str] = Counter()
    with new_folder(folder, durable=False) as partial:
        for line in (source / "labels.csv").read_text().splitlines():
            name, probability, _ = line.split()  # the third word tells mono- from polycrystalline
            nearest = min(ELPV_CLASSES, key=lambda value: abs(value - float(probability)))
            target = partial / ELPV_CLASSES[nearest] / Path(name).name
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(source / name, target)
            counts[target.parent.name] += 1
    return counts


def write_digits(folder: Path) -> Counter[str]:
    digits.write(folder)
    return Counter(path.parent.name for path in folder.glob("*/*.png"))


def write_emoji(folder: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as temporary, new_folder(folder, durable=False) as partial:
        packages = {vendor: fetch_emoji(vendor, Path(temporary)) for vendor in EMOJI_VENDORS}
        emoji = json.loads((packages[EMOJI_VENDORS[0]] / "emoji.json").read_text())
        with (partial / "manifest.csv").open("w", newline="") as file:
            manifest = csv.writer(file)
            manifest.writerow(["image", "label", "group"])
            for one in emoji:  # skin tones are inside each, under skin_variations, and left out
                drawn = all(one[f"has_img_{vendor}"] for vendor in EMOJI_VENDORS)
                if one["category"] == EMOJI_NO_CLASS or not drawn:
                    continue
                for vendor, package in packages.items():
                    name = f"{vendor}/{one['image']}"
                    (partial / vendor).mkdir(exist_ok=True)
                    shutil.copyfile(package / "img" / vendor / "64" / one["image"], partial / name)
                    manifest.writerow([name, one["category"], one["unified"]])
                    counts[one["category"]] += 1
    return counts


def fetch_emoji(vendor: str, folder: Path) -> Path:
    """Fetch one vendor's package and unpack its list and its 64-pixel images."""
    package = f"emoji-datasource-{vendor}@{EMOJI_VERSION}"
    if not shutil.which("npm"):
        sys.exit(f"emoji needs the npm package {package}, and npm to fetch it: install npm")
    command = ["npm", "pack", "--silent", package]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    archive = folder / f"emoji-datasource-{vendor}-{EMOJI_VERSION}.tgz"
    if done.returncode or not archive.is_file():
        sys.exit(f"the npm package {package} could not be fetched: {done.stderr.strip()[-300:]}")
    wanted = ("package/emoji.json", f"package/img/{vendor}/64/")
    with tarfile.open(archive) as tar:
        members = [member for member in tar if member.name.startswith(wanted)]
        tar.extractall(folder / vendor, members=members, filter="data")
    return folder / vendor / "package"


WRITERS: dict[str, Callable[[Path], Counter[str]]] = {
    "elpv": write_elpv,
    "digits": write_digits,
    "emoji": write_emoji,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=WRITERS)
    parser.add_argument("folder", type=Path, help="where to write; must be new or empty")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        sys.exit(f"{folder} exists and is not empty: name a new folder")
    counts = WRITERS[arguments.name](folder)
    manifest = folder / "manifest.csv"
    print(f"{sum(counts.values())} images in {len(counts)} classes below {folder}")
    for label, count in sorted(counts.items()):
        print(f"  {label}: {count}")
    print(f"next: improve-git init {manifest if manifest.exists() else folder}")


if __name__ == "__main__":
    main()
