from natviews.encoders.encoder import Architecture, Encoder, described_by
from natviews.encoders.head import Whitening

__all__ = ["Architecture", "Encoder", "Whitening", "described_by"]
