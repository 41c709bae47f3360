"""arXiv's identifiers and categories (https://info.arxiv.org/help/arxiv_identifier.html,
https://arxiv.org/category_taxonomy)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from digest.errors import InputError
from digest.patterns import pattern

# --- identifiers ----------------------------------------------------------------------------------


class PaperId(Struct, frozen=True):
    """A paper and, if it was named, one of its versions.

    ``base`` is the id without version: "2107.05580", "hep-th/9901001". Old ids keep their archive but
    not the subject class: arXiv knows math.GT/0309136 and math/0309136 as one paper, the latter being
    the form of its own metadata.
    """

    base: str
    version: int | None = None

    def __str__(self) -> str:
        return self.base if self.version is None else f"{self.base}v{self.version}"


_PREFIX = pattern(
    r"""(?: arxiv: | oai:arxiv\.org: | doi:10\.48550/arxiv\. | (?:https?://)?(?:dx\.)?doi\.org/10\.48550/arxiv\.
      | (?:https?://)?(?:[a-z]+\.)?arxiv\.org/(?:abs|pdf|html|format|src|e-print)/ )\s*""",
    re.VERBOSE | re.IGNORECASE,
)
_SUFFIX = pattern(r"(?:\.pdf)?/?(?:[?#]\S*)?\Z", re.IGNORECASE)
_NEW = pattern(r"([0-9]{2})([0-9]{2})\.([0-9]{4,5})(?:v([1-9][0-9]{0,3}))?", re.IGNORECASE)
_OLD = pattern(
    r"([a-z][a-z-]*)(?:\.[a-z]{2})?/([0-9]{2})([0-9]{2})([0-9]{3})(?:v([1-9][0-9]{0,3}))?", re.IGNORECASE
)


def parse(text: str) -> PaperId:
    """The paper named by an id, "arXiv:2107.05580v2", or an address of arXiv (abs, pdf, html; also
    the OAI form and arXiv's DOIs).

    Raises InputError: not an identifier, or one that arXiv cannot have given.
    """
    bare = text.strip()
    if bare[:1].isalpha() and (prefix := _PREFIX.match(bare)):
        bare = _SUFFIX.sub("", bare[prefix.end() :])
    if new := _NEW.fullmatch(bare):
        year, month, serial, version = new.groups()
        _check_new(text, year, month, serial)
        return PaperId(f"{year}{month}.{serial}", int(version) if version else None)
    if old := _OLD.fullmatch(bare):
        archive, year, month, serial, version = old.groups()
        _check_old(text, year, month, serial)
        return PaperId(f"{archive.lower()}/{year}{month}{serial}", int(version) if version else None)
    raise _wrong(text, "give one such as 2107.05580v2 or hep-th/9901001")


def _check_new(text: str, year: str, month: str, serial: str) -> None:
    """Ids with a point began in April 2007 and have five digits behind it since January 2015."""
    _check_month(text, month)
    if year + month < "0704":
        raise _wrong(text, "ids of this form begin with 0704, April 2007")
    digits = 4 if year < "15" else 5
    if len(serial) != digits:
        raise _wrong(text, f"ids of 20{year} have {digits} digits after the point, not {len(serial)}")
    if not serial.strip("0"):
        raise _wrong(text, "numbers begin with 1")


def _check_old(text: str, year: str, month: str, serial: str) -> None:
    """Ids with an archive were given from July 1991 to March 2007."""
    _check_month(text, month)
    if "0703" < year + month < "9107":
        raise _wrong(text, "ids of this form run from 9107 to 0703, July 1991 to March 2007")
    if not serial.strip("0"):
        raise _wrong(text, "numbers begin with 1")


def _check_month(text: str, month: str) -> None:
    if not "01" <= month <= "12":
        raise _wrong(text, f"{month} is no month")


def _wrong(text: str, hint: str) -> InputError:
    shown = text if len(text) <= 60 else text[:57] + "..."
    return InputError(f"not an arXiv identifier: {shown!r}: {hint}")


def abs_url(paper: PaperId | str) -> str:
    """The address of the paper's page."""
    return f"https://arxiv.org/abs/{paper}"


def pdf_url(paper: PaperId | str) -> str:
    """The address of the paper's PDF."""
    return f"https://arxiv.org/pdf/{paper}"


def sort_key(paper: PaperId | str) -> tuple[int, int, int, str]:
    """Orders ids by the time they were given: year, month, number, archive.

    Raises InputError where the text is no identifier.
    """
    base = (parse(paper) if isinstance(paper, str) else paper).base
    archive, _, digits = base.rpartition("/")
    year = int(digits[:2])
    century = 1900 if archive and year > 90 else 2000
    return century + year, int(digits[2:4]), int(digits[4:].lstrip(".")), archive


# --- categories -----------------------------------------------------------------------------------

_CATEGORY = pattern(r"[a-z-]+(\.[A-Za-z-]+)?")
_TAXONOMY = """
    cs.AI Artificial Intelligence
    cs.AR Hardware Architecture
    cs.CC Computational Complexity
    cs.CE Computational Engineering, Finance, and Science
    cs.CG Computational Geometry
    cs.CL Computation and Language
    cs.CR Cryptography and Security
    cs.CV Computer Vision and Pattern Recognition
    cs.CY Computers and Society
    cs.DB Databases
    cs.DC Distributed, Parallel, and Cluster Computing
    cs.DL Digital Libraries
    cs.DM Discrete Mathematics
    cs.DS Data Structures and Algorithms
    cs.ET Emerging Technologies
    cs.FL Formal Languages and Automata Theory
    cs.GL General Literature
    cs.GR Graphics
    cs.GT Computer Science and Game Theory
    cs.HC Human-Computer Interaction
    cs.IR Information Retrieval
    cs.IT Information Theory
    cs.LG Machine Learning
    cs.LO Logic in Computer Science
    cs.MA Multiagent Systems
    cs.MM Multimedia
    cs.MS Mathematical Software
    cs.NA Numerical Analysis
    cs.NE Neural and Evolutionary Computing
    cs.NI Networking and Internet Architecture
    cs.OH Other Computer Science
    cs.OS Operating Systems
    cs.PF Performance
    cs.PL Programming Languages
    cs.RO Robotics
    cs.SC Symbolic Computation
    cs.SD Sound
    cs.SE Software Engineering
    cs.SI Social and Information Networks
    cs.SY Systems and Control
    eess.AS Audio and Speech Processing
    eess.IV Image and Video Processing
    eess.SP Signal Processing
    eess.SY Systems and Control
    stat.AP Applications
    stat.CO Computation
    stat.ME Methodology
    stat.ML Machine Learning
    stat.OT Other Statistics
    stat.TH Statistics Theory
    astro-ph.CO Cosmology and Nongalactic Astrophysics
    astro-ph.EP Earth and Planetary Astrophysics
    astro-ph.GA Astrophysics of Galaxies
    astro-ph.HE High Energy Astrophysical Phenomena
    astro-ph.IM Instrumentation and Methods for Astrophysics
    astro-ph.SR Solar and Stellar Astrophysics
    cond-mat.dis-nn Disordered Systems and Neural Networks
    cond-mat.mes-hall Mesoscale and Nanoscale Physics
    cond-mat.mtrl-sci Materials Science
    cond-mat.other Other Condensed Matter
    cond-mat.quant-gas Quantum Gases
    cond-mat.soft Soft Condensed Matter
    cond-mat.stat-mech Statistical Mechanics
    cond-mat.str-el Strongly Correlated Electrons
    cond-mat.supr-con Superconductivity
    econ.EM Econometrics
    econ.GN General Economics
    econ.TH Theoretical Economics
    gr-qc General Relativity and Quantum Cosmology
    hep-ex High Energy Physics - Experiment
    hep-lat High Energy Physics - Lattice
    hep-ph High Energy Physics - Phenomenology
    hep-th High Energy Physics - Theory
    math-ph Mathematical Physics
    math.AC Commutative Algebra
    math.AG Algebraic Geometry
    math.AP Analysis of PDEs
    math.AT Algebraic Topology
    math.CA Classical Analysis and ODEs
    math.CO Combinatorics
    math.CT Category Theory
    math.CV Complex Variables
    math.DG Differential Geometry
    math.DS Dynamical Systems
    math.FA Functional Analysis
    math.GM General Mathematics
    math.GN General Topology
    math.GR Group Theory
    math.GT Geometric Topology
    math.HO History and Overview
    math.IT Information Theory
    math.KT K-Theory and Homology
    math.LO Logic
    math.MG Metric Geometry
    math.MP Mathematical Physics
    math.NA Numerical Analysis
    math.NT Number Theory
    math.OA Operator Algebras
    math.OC Optimization and Control
    math.PR Probability
    math.QA Quantum Algebra
    math.RA Rings and Algebras
    math.RT Representation Theory
    math.SG Symplectic Geometry
    math.SP Spectral Theory
    math.ST Statistics Theory
    nlin.AO Adaptation and Self-Organizing Systems
    nlin.CD Chaotic Dynamics
    nlin.CG Cellular Automata and Lattice Gases
    nlin.PS Pattern Formation and Solitons
    nlin.SI Exactly Solvable and Integrable Systems
    nucl-ex Nuclear Experiment
    nucl-th Nuclear Theory
    physics.acc-ph Accelerator Physics
    physics.ao-ph Atmospheric and Oceanic Physics
    physics.app-ph Applied Physics
    physics.atm-clus Atomic and Molecular Clusters
    physics.atom-ph Atomic Physics
    physics.bio-ph Biological Physics
    physics.chem-ph Chemical Physics
    physics.class-ph Classical Physics
    physics.comp-ph Computational Physics
    physics.data-an Data Analysis, Statistics and Probability
    physics.ed-ph Physics Education
    physics.flu-dyn Fluid Dynamics
    physics.gen-ph General Physics
    physics.geo-ph Geophysics
    physics.hist-ph History and Philosophy of Physics
    physics.ins-det Instrumentation and Detectors
    physics.med-ph Medical Physics
    physics.optics Optics
    physics.plasm-ph Plasma Physics
    physics.pop-ph Popular Physics
    physics.soc-ph Physics and Society
    physics.space-ph Space Physics
    q-bio.BM Biomolecules
    q-bio.CB Cell Behavior
    q-bio.GN Genomics
    q-bio.MN Molecular Networks
    q-bio.NC Neurons and Cognition
    q-bio.OT Other Quantitative Biology
    q-bio.PE Populations and Evolution
    q-bio.QM Quantitative Methods
    q-bio.SC Subcellular Processes
    q-bio.TO Tissues and Organs
    q-fin.CP Computational Finance
    q-fin.EC Economics
    q-fin.GN General Finance
    q-fin.MF Mathematical Finance
    q-fin.PM Portfolio Management
    q-fin.PR Pricing of Securities
    q-fin.RM Risk Management
    q-fin.ST Statistical Finance
    q-fin.TR Trading and Market Microstructure
    quant-ph Quantum Physics
"""
CATEGORIES: Mapping[str, str] = MappingProxyType(dict(re.findall(r"(\S+) (.+)", _TAXONOMY)))
"""arXiv's categories and their English names."""


def is_category(text: str) -> bool:
    """Has the text the form of a category? Archives that were closed long ago (cmp-lg) have it too."""
    return _CATEGORY.fullmatch(text) is not None


def nearest_category(text: str) -> str | None:
    """The category that was probably meant, by code or by English name; None if nothing is near."""
    asked = text.strip().lower()
    codes = {code.lower(): code for code in CATEGORIES}
    names: dict[str, str] = {}
    for code, name in CATEGORIES.items():
        names.setdefault(name.lower(), code)  # Machine Learning is cs.LG before stat.ML
    if asked in codes:
        return codes[asked]
    # cs.ML: the right class in the wrong archive
    same_class = [
        code for code in CATEGORIES if code.lower().partition(".")[2] == asked.partition(".")[2] != ""
    ]
    if len(same_class) == 1:
        return same_class[0]
    begins = [code for name, code in names.items() if len(asked) > 3 and name.startswith(asked)]
    from difflib import get_close_matches

    near = get_close_matches(asked, codes | names, n=1, cutoff=0.6)
    return begins[0] if begins else (codes | names)[near[0]] if near else None
