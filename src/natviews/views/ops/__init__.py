from natviews.views.ops.colouring import JPEG, Blur, Grey, Jitter, Planckian, Solarise
from natviews.views.ops.covering import Background, Collage, Erase, Watermark
from natviews.views.ops.crops import Crops
from natviews.views.ops.op import Op
from natviews.views.ops.placing import CentralCrop, Flip, PatchZoom, Perspective, Rotate, ZoomOut

OPS: dict[str, type[Op]] = Op.registry

__all__ = [
    "JPEG",
    "OPS",
    "Background",
    "Blur",
    "CentralCrop",
    "Collage",
    "Crops",
    "Erase",
    "Flip",
    "Grey",
    "Jitter",
    "Op",
    "PatchZoom",
    "Perspective",
    "Planckian",
    "Rotate",
    "Solarise",
    "Watermark",
    "ZoomOut",
]
