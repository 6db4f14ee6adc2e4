from natviews.index.exact import ExactIndex

__all__ = ["ExactIndex"]
