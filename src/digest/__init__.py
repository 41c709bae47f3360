"""digest watches arXiv for people who follow a field and tell others about it."""

__version__ = "0.1.0"
