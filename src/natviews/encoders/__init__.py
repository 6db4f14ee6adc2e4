from natviews.encoders.adapters import add_adapters, without_adapters
from natviews.encoders.architecture import Architecture, Precision, described_by
from natviews.encoders.describing import describer
from natviews.encoders.embedding import embed_catalog, encode_file, stored_size
from natviews.encoders.encoder import CARD, Encoder
from natviews.encoders.export import Export, export_encoder
from natviews.encoders.head import Whitening
from natviews.encoders.layers import layers_of
from natviews.encoders.memory import keep_freed_memory
from natviews.encoders.quantising import quantise

__all__ = [
    "CARD",
    "Architecture",
    "Encoder",
    "Export",
    "Precision",
    "Whitening",
    "add_adapters",
    "described_by",
    "describer",
    "embed_catalog",
    "encode_file",
    "export_encoder",
    "keep_freed_memory",
    "layers_of",
    "quantise",
    "stored_size",
    "without_adapters",
]
