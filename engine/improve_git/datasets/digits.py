"""scikit-learn's digits as PNG files, one folder a class: the embedded sample."""

from pathlib import Path

from improve_git.files import new_folder


def write(folder: Path) -> None:
    """Write the 1,797 images of 8x8 pixels, grey, unless the folder is there.

    The files' bytes, and so the data set's fingerprint, are the same on every machine: without
    compression, no version of zlib has a say in them.
    """
    if folder.is_dir() and any(folder.iterdir()):
        return
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    with new_folder(folder, durable=False) as partial:
        for number, (values, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            target = partial / str(label) / f"{number:04}.png"
            target.parent.mkdir(exist_ok=True)
            grey = np.round(values * (255 / 16)).astype(np.uint8)  # the values go from 0 to 16
            Image.fromarray(grey).save(target, compress_level=0)
