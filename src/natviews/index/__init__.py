from natviews.index.exact import ExactIndex
from natviews.index.parquet import embeddings_table, read_embeddings, write_embeddings

__all__ = ["ExactIndex", "embeddings_table", "read_embeddings", "write_embeddings"]
