"""The program of a process that decodes photos for others and may be killed: `python -m
natviews.serving.decoding`.

It is asked on its standard input and answers on its standard output, in frames: a length (8 bytes, big-endian)
and so many bytes. A question is a line of JSON, `longest`, `pixels` and `crop`, and then the file. An answer is
a line of JSON, `shape` or `reason`, and then the pixels. Its memory is limited once everything it needs is
loaded.
"""

import io
import json
import resource
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from natviews.catalog.decode import BadPhoto, decode

LENGTH = struct.Struct(">Q")


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame, None at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    data = stream.read(length)
    return data if len(data) == length else None


def write_frame(stream: BinaryIO, *parts: bytes | memoryview) -> None:
    """Parts that together are one frame."""
    stream.write(LENGTH.pack(sum(len(part) for part in parts)))
    for part in parts:
        stream.write(part)
    stream.flush()


def decoded(data: bytes, asked: dict[str, Any]) -> np.ndarray:
    """(H, W, 3) uint8 RGB, longest side at most `longest`; `crop` is left, top, right, bottom as shares of the
    sides.

    Raises BadPhoto with the reason.
    """
    _check_pixels(data, asked["pixels"])
    crop = asked.get("crop")
    if not crop:
        return decode(data, asked["longest"])
    left, top, right, bottom = crop
    share = max(right - left, bottom - top)
    whole = decode(data, min(4096, round(asked["longest"] / share)))
    height, width = whole.shape[:2]
    rows = slice(int(top * height), max(int(top * height) + 1, round(bottom * height)))
    columns = slice(int(left * width), max(int(left * width) + 1, round(right * width)))
    cut = Image.fromarray(whole[rows, columns])
    cut.thumbnail((asked["longest"], asked["longest"]), Image.Resampling.BOX)
    return np.asarray(cut)


def _check_pixels(data: bytes, most: int) -> None:
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
    except Exception:  # whatever it is, `decode` says so
        return
    if width * height > most:
        raise BadPhoto(f"{width} x {height} pixels; at most {most} are decoded")


def main() -> None:
    """Answers until there are no more questions. The argument is how many bytes of memory decoding may take."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    decode(_smallest(), 8)  # what is loaded at the first photo is loaded now
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmSize:"):
            limit = int(line.split()[1]) * 1024 + int(sys.argv[1])
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    write_frame(sink, b"{}\n")
    while (frame := read_frame(source)) is not None:
        head, _, data = frame.partition(b"\n")
        try:
            pixels = np.ascontiguousarray(decoded(data, json.loads(head)))
            answer = json.dumps({"shape": pixels.shape}).encode(), pixels.tobytes()
        except BadPhoto as reason:
            answer = json.dumps({"reason": str(reason)}).encode(), b""
        except MemoryError:
            answer = json.dumps({"reason": "needs more memory to decode than is allowed"}).encode(), b""
        except Exception as error:  # a decoder's own: the photo is at fault
            answer = json.dumps({"reason": f"damaged: {type(error).__name__}"}).encode(), b""
        write_frame(sink, answer[0], b"\n", answer[1])


def _smallest() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG")
    return buffer.getvalue()


if __name__ == "__main__":
    main()
