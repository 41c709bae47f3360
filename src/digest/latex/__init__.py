"""LaTeX as arXiv's titles and abstracts hold it, and how it reads as plain Unicode.

Authors write a loose TeX (https://info.arxiv.org/help/prep.html): accents as ``Andr\\'e``, maths
between dollars, commands of their own. Everything here is total and takes time in proportion to the
text: whatever comes in, text comes out and nothing is raised.
"""

from digest.latex.reader import read
from digest.latex.source import Span, accents, maths

__all__ = ["Span", "accents", "maths", "read"]
