"""Embedders: from text to vectors. Each engine has one door module."""

from store.embed.protocol import Embedder as Embedder
