"""Tables: what a command, a raised or a lowered letter looks like in Unicode."""

from __future__ import annotations

from functools import cache


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _pairs(text: str) -> dict[str, str]:
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


SUPER = str.maketrans(
    "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWβγδθφχ",
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵝᵞᵟᶿᵠᵡ",
)
SUB = str.maketrans(
    "0123456789+-−=()aehijklmnoprstuvxβγρφχ",
    "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ",
)
RAISED = _pairs("∘ ° ° ° ′ ′ ⊤ ᵀ * * ∗ * ⋆ * † † ‡ ‡ ® ® ™ ™")  # as a superscript

# Before pylatexenc's table, which takes 20 CPU-milliseconds to load: what is frequent, what it lacks, and
# authors' usual names for what they mean.
SYMBOLS = _pairs(
    """alpha α beta β gamma γ delta δ zeta ζ eta η theta θ kappa κ lambda λ mu μ nu ν xi ξ pi π rho ρ sigma σ
    tau τ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Sigma Σ Phi Φ Psi Ψ Omega Ω
    pm ± approx ≈ in ∈ infty ∞ rightarrow →
    eps ε epsilon ε varepsilon ε phi φ varphi φ vartheta ϑ l ℓ hbar ħ textmu μ
    R ℝ RR ℝ Z ℤ ZZ ℤ N ℕ NN ℕ C ℂ Q ℚ bot ⊥ top ⊤ prime ′ degree ° textdegree ° star ⋆ ast ∗ bullet •
    le ≤ ge ≥ leqslant ≤ geqslant ≥ ne ≠ neq ≠ sim ∼ times × cdot · setminus ∖ varnothing ∅
    to → gets ← iff ⇔ implies ⇒ land ∧ lor ∨ lnot ¬ mid | vert | Vert ‖ lvert | rvert | lVert ‖ rVert ‖
    langle ⟨ rangle ⟩ lbrace { rbrace } lbrack [ rbrack ] colon : dots … ldots … cdots ⋯ textellipsis …
    Re Re Im Im LaTeX LaTeX TeX TeX pounds £ euro € copyright © circledR ® textregistered ® texttrademark ™
    dagger † ddagger ‡ checkmark ✓ textless < textgreater > textbar | percent % textasciitilde ~
    textasciicircum ^ textunderscore _ backslash \\ textbackslash \\"""
)
DOUBLE_STRUCK = _pairs("C ℂ H ℍ N ℕ P ℙ Q ℚ R ℝ Z ℤ")
OPERATORS = frozenset("≤≥≠≈∼≃≅≡∈∉∋⊂⊆⊃⊇→←↔⇒⇐⇔↦⟶⟵×÷±∓∪∩∧∨⊕⊗⊙≪≫∝⊥∥≺≻≼≽≲≳⊢⊨∖⋉⋊|·∘⊤⟹⟺⟷↪")
ARROWS = frozenset("→←↔⇒⇐⇔⟶⟵⟷⟹⟺")

# Commands that change how the text looks, and show nothing themselves.
SWITCHES = _words(
    """em it bf sc tt rm sf sl cal bfseries itshape scshape ttfamily sffamily upshape tiny scriptsize
    footnotesize small normalsize large Large LARGE huge displaystyle textstyle scriptstyle left right
    middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm Bigm limits nolimits
    noindent protect xspace centering relax mathop mathrel mathbin mathord nonumber ignorespaces
    boldmath unboldmath ensuremath selectfont today"""
)
UNSEEN = _words("label vspace hspace phantom vphantom hphantom color begin end")  # with their argument
SPACES = _words("quad qquad newline linebreak par hfill item thinspace medspace enspace space smallskip")
HATS = {
    "hat": "\u0302", "widehat": "\u0302", "tilde": "\u0303", "widetilde": "\u0303", "bar": "\u0304",
    "overline": "\u0304", "vec": "\u20d7", "dot": "\u0307", "ddot": "\u0308", "check": "\u030c",
    "breve": "\u0306", "acute": "\u0301", "grave": "\u0300", "mathring": "\u030a", "not": "\u0338",
}  # fmt: skip
AROUND = _pairs("norm ‖‖ abs || ket |⟩ bra ⟨| ceil ⌈⌉ floor ⌊⌋ enquote “”")
PUNCTUATION = {
    ",": " ", ";": " ", ":": " ", " ": " ", "\\": " ", ">": " ", "!": "", "/": "", "-": "", "@": "",
    "|": "‖", "(": "", ")": "", "[": "", "]": "",
}  # fmt: skip


@cache
def symbols() -> dict[str, str]:
    """Commands that stand for a fixed string: pylatexenc's, with our own before them."""
    from pylatexenc.latex2text import get_default_latex_context_db

    table = {}
    for macro in get_default_latex_context_db().iter_macro_specs():
        if isinstance(macro.simplify_repl, str) and "%" not in macro.simplify_repl:
            table[macro.macroname] = macro.simplify_repl
    return table | SYMBOLS
