"""Photos with bytes changed, cut, repeated and mixed, given to the server's decoder for ten minutes.

    python benchmarks/hostile_photos.py [--minutes 10] [--seed 0]

Each must come back as a picture of at most the asked size, or be refused with a reason. The decoder's process may
neither end nor take long, and may not grow in the second half of the time. Every format that is decoded takes its
turn; a photo with which it breaks one of these promises is written to the folder, and its name printed.
"""

import argparse
import io
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from natviews.catalog import BadPhoto
from natviews.catalog.decode import FORMATS
from natviews.serving import Limits
from natviews.serving.uploads import Decoders

LONGEST = 64
PARTS = 10
PICTURE, REFUSED = "a picture", "refused"
GROWTH = 16
"""MB by which the decoder may have grown since half of the time: it keeps what its largest photos needed."""
LENGTHS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
"""What is written where a length, a side or an offset may stand."""


def good_photos(rng: np.random.Generator) -> list[bytes]:
    """Every format in its kinds: grey, colours, palette, transparent, progressive, several frames, 16 bit."""
    noise = Image.fromarray(rng.integers(0, 256, (60, 80, 3), np.uint8)).resize((97, 71))
    kinds: list[tuple[str, str, dict[str, object]]] = [(name, "RGB", {}) for name in FORMATS]
    kinds += [("JPEG", "L", {}), ("JPEG", "CMYK", {}), ("JPEG", "RGB", {"progressive": True, "quality": 95})]
    kinds += [("PNG", "P", {}), ("PNG", "RGBA", {}), ("PNG", "I;16", {}), ("PNG", "1", {}), ("GIF", "P", {})]
    kinds += [
        ("WEBP", "RGBA", {"lossless": True}),
        ("TIFF", "F", {}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ]
    kinds += [("TIFF", "CMYK", {"compression": "tiff_deflate"}), ("BMP", "P", {}), ("BMP", "1", {})]
    kinds += [(name, "RGB", {"save_all": True, "append_images": [noise] * 2}) for name in ("GIF", "WEBP", "TIFF")]
    made = []
    for name, mode, options in kinds:
        picture = (
            Image.fromarray(np.asarray(noise.convert("L")).astype(np.uint16) * 257) if mode == "I;16" else None
        )
        buffer = io.BytesIO()
        (picture or noise.convert(mode)).save(buffer, name, **options)
        made.append(buffer.getvalue())
    return made


def changed(photos: list[bytes], rng: np.random.Generator) -> bytes:
    """One of the photos, with one to eight changes."""
    data = bytearray(photos[rng.integers(len(photos))])
    for _ in range(rng.integers(1, 9)):
        if not data:
            break
        # Most of what decides how a file is read stands in its first bytes.
        place = int(rng.integers(min(len(data), 200)) if rng.random() < 0.5 else rng.integers(len(data)))
        behind = place + int(rng.integers(1, 65))
        kind = rng.integers(6)
        if kind == 0:
            data[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[place:behind] = rng.bytes(behind - place)
        elif kind == 2:
            size, order = int(rng.choice([1, 2, 4])), "big" if rng.random() < 0.5 else "little"
            value = LENGTHS[rng.integers(len(LENGTHS))] & (256**size - 1)
            data[place : place + size] = value.to_bytes(size, order)  # type: ignore[arg-type]
        elif kind == 3:
            del data[place:behind]
        elif kind == 4:
            data[place:place] = data[place:behind] * int(rng.integers(1, 40))
        else:
            other = photos[rng.integers(len(photos))]
            begin = int(rng.integers(len(other)))
            data[place:behind] = other[begin : begin + 400]
    return bytes(data[: rng.integers(1, len(data) + 1)] if data and rng.random() < 0.2 else data)


def outcome(decoders: Decoders, data: bytes) -> str:
    """What became of a photo: PICTURE, REFUSED, or which promise was broken."""
    try:
        pixels = decoders.submit(data, LONGEST).result()
    except BadPhoto as reason:
        ended = "its decoder ended" in str(reason) or "takes longer" in str(reason)
        return str(reason) if ended or not 5 < len(str(reason)) < 300 else REFUSED
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    is_picture = pixels.ndim == 3 and pixels.shape[2] == 3 and max(pixels.shape[:2]) <= LONGEST
    return PICTURE if is_picture and pixels.dtype == np.uint8 else f"a picture of {pixels.shape}"


def memory(decoders: Decoders) -> float:
    """Resident MB of the decoder's process."""
    process = decoders._all[0]._process
    assert process is not None
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs") / "hostile")
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    photos, outcomes = good_photos(rng), Counter[str]()
    decoders = Decoders(Limits(), count=1)
    slowest, memories = 0.0, list[float]()
    try:
        assert all(outcome(decoders, data) == PICTURE for data in photos)
        start, seconds = time.monotonic(), 60 * given.minutes
        while (passed := time.monotonic() - start) < seconds:
            if passed >= seconds * len(memories) / PARTS:
                memories.append(memory(decoders))
            data, begun = changed(photos, rng), time.monotonic()
            said = outcome(decoders, data)
            slowest = max(slowest, time.monotonic() - begun)
            outcomes[said] += 1
            if said not in (PICTURE, REFUSED):
                given.out.mkdir(parents=True, exist_ok=True)
                path = given.out / f"{outcomes.total()}.bin"
                path.write_bytes(data)
                print(f"{path}: {said}", flush=True)
        memories.append(memory(decoders))
    finally:
        decoders.close()
    pictures, refused = outcomes.pop(PICTURE, 0), outcomes.pop(REFUSED, 0)
    print(
        f"{pictures:,} pictures, {refused:,} refused, {outcomes.total():,} broken promises; "
        f"the slowest took {slowest:.2f} s"
    )
    print(
        "The decoder's memory in MB, from the start to the end: " + ", ".join(f"{part:.0f}" for part in memories)
    )
    sys.exit(bool(outcomes) or memories[-1] - memories[PARTS // 2] > GROWTH)


if __name__ == "__main__":
    main()
