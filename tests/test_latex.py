"""How LaTeX in titles and abstracts reads as Unicode."""

from __future__ import annotations

import itertools
import lzma
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import latex
from digest.text import readable


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("$x^2$", "x²"),
        (r"\alpha", "α"),
        (r"$\ell_2$", "ℓ₂"),
        (r"A $\to$ B", "A→B"),
        (r"\emph{x}, \textbf{y}, \texttt{z}", "x, y, z"),
        (r"{\em match} and {\bf bi\textit{text}}", "match and bitext"),
        (r"10\% and $10\%$", "10% and 10%"),
        (r"SD\&V, a\_b, \#1, \$5", "SD&V, a_b, #1, $5"),
        (r"$\mathcal{O}(n)$ in $\mathbb{R}^d$", "O(n) in ℝᵈ"),
        (r"$\mathbb{E}[X]$, $\mathbb{1}$", "𝔼[X], 𝟙"),
        (r"$\sqrt{2}$, $\sqrt{x+1}$, $\sqrt[3]{n}$", "√2, √(x+1), ³√n"),
        (r"$\frac{a}{b}$, $\frac{a+b}{2}$, $\frac12$", "a/b, (a+b)/2, 1/2"),
        (r"$\tilde{O}(d\sqrt{\sum_{k=1}^K\sigma_k^2})$", "Õ(d√(∑ₖ₌₁ᴷσₖ²))"),
        (r"$\hat{x}$, $\bar y$, $\widehat{AB}$", "x̂, ȳ, AB"),
        (r"$n\times m$ and $n \times m$", "n×m and n × m"),
        (r"1.9$\times$ faster, $\ge$768x5, $\approx 5$", "1.9× faster, ≥768x5, ≈5"),
        (r"$\epsilon > 0$, $a\leq b$, $i \not\in S$", "ε > 0, a≤b, i ∉S"),
        (r"$O(n\log n)$, $\log^2 n$, $\min_x \max_y f$", "O(n log n), log² n, minₓ max_y f"),
        (r"$x_{ij}$, $d_{min}$, $e^{-t}$, $x^{t-1}$, $\ell_{2,1}$", "xᵢⱼ, d_min, e⁻ᵗ, xᵗ⁻¹, ℓ₂,₁"),
        (r"$10^{-5}$, 10^5, 90$^\circ$, $A^\top$, $f'$, 16$^\text{th}$", "10⁻⁵, 10⁵, 90°, Aᵀ, f′, 16ᵗʰ"),
        (r"H$_2$O, T$^3$Former, N$$=$$1, $$k+1$$", "H₂O, T³Former, N=1, k+1"),
        (r"\(n\) and \[m\]", "n and m"),
        (r"$\left( \frac{1}{\epsilon} \right)$, $\lfloor n/2 \rfloor$, $\|x\|_2$", "(1/ε), ⌊n/2⌋, ‖x‖₂"),
        (r"${n \choose k}$, $\binom{n}{k}$, $a \pmod{p}$", "n choose k, (n choose k), a (mod p)"),
        (r"$\text{F}_1$, $\operatorname*{arg\,max}_x$, $\poly(n)$", "F₁, arg maxₓ, poly(n)"),
        (r"$-5$ and $a-b$", "−5 and a−b"),
        ("``so'' and `so' -- or --- so", "“so” and ‘so’ – or — so"),
        ("5'' disks, the authors' and 'words'", "5'' disks, the authors' and 'words'"),
        ("a~b, ~600k, 5~ms, http://x.y/~me", "a b, ~600k, 5 ms, http://x.y/~me"),
        ("use --help, A --> B, pages 1--5", "use --help, A --> B, pages 1–5"),
        (
            "models--a class--and `git commit--amend` (--all)",
            "models–a class–and git commit--amend (--all)",
        ),
        (r"shown by~\cite{a, b} and \citep[p. 3]{c}", "shown by [a, b] and [c]"),
        (r"\href{https://x.y/a\_b}{here}, \url{http://a.b/~c_d}", "here (https://x.y/a_b), http://a.b/~c_d"),
        (r"\href{https://x.y}{https://x.y}", "https://x.y"),
        (r"we introduce \method to, \nway{} and \ac{RAG}", "we introduce method to, nway and RAG"),
        (r"{BERT}: {0,1}^n and {a, b}", "BERT: {0,1}^n and {a, b}"),
        (r"(\r{ho} = 0.3) and \b{eta}", "(ρ = 0.3) and β"),
        (r"prosody$\unicode{x2013}$syntax \textcolor{red}{x} \textsuperscript{2}", "prosody–syntax x ²"),
        (r"na\"{\i}ve \textit{M\=e}", "naïve Mē"),
        (r"text\footnote{a note} and {\guillemotleft}a{\guillemotright}", "text (a note) and «a»"),
        ("word_embedding, X_a, a^b, [i] {", "word_embedding, X_a, a^b, [i] {"),
        (r"emb\textbf{e}d $\mathbf{x}$, \underline{u}", "embed x, u"),
    ],
)
def test_latex_reads_as(source: str, shown: str) -> None:
    assert readable(source) == shown


@pytest.mark.parametrize(
    "money",
    [
        "costs $5 and $6",
        "from $500-$1000 to under $10",
        "worth $412.88 billion",
        "(3$ for 8B models, 20$ for 72B models)",
        "US$5 to US$6, or $7.",
        "the $ALGO and $TOKEN coins",
        "$",
        "$$",
        "$ $",
    ],
)
def test_dollars_that_are_money_stay(money: str) -> None:
    assert readable(money) == money


@pytest.mark.parametrize(
    ("broken", "shown"),
    [
        ("$n", "$n"),
        ("n$ is", "n$ is"),
        (r"\frac{a}{b", "a/b"),
        (r"{\em x", "{x"),
        (r"$\sqrt[3$", "√[3"),
        ("a}b", "a}b"),
        (r"\emph{x} }", "x }"),
        ("a \\", "a \\"),
        (r"\cite{key", "[key]"),
        ("$x^$ and $_2$", "x and ₂"),
    ],
)
def test_broken_latex_loses_nothing(broken: str, shown: str) -> None:
    assert readable(broken) == shown


words = st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)
commands = st.sampled_from(
    [
        r"\emph{%s}",
        r"\textbf{%s}",
        r"{\it %s}",
        r"\ac{%s}",
        "$%s$",
        "{%s}",
        r"\href{u}{%s}",
        r"\unknown{%s}",
        "``%s''",
    ]
)


@given(st.lists(st.tuples(words, commands), min_size=1, max_size=6))
def test_no_word_inside_commands_is_lost(parts: list[tuple[str, str]]) -> None:
    shown = readable(" ".join(command % word for word, command in parts))
    assert all(word in shown for word, _ in parts)
    assert "$" not in shown
    assert "\\" not in shown


@given(words, st.lists(commands, max_size=60))
def test_commands_inside_commands_lose_nothing_however_deep(word: str, around: list[str]) -> None:
    source = word
    for command in around:
        source = command % source
    assert word in readable(source)


@pytest.mark.parametrize(
    "unit",
    [
        "{",
        "$",
        r"\(",
        r"\frac",
        "^",
        r"\hat ",
        "$^{",
        r"\not",
        "``",
        "''",
        r"{\"",
        r"\c ",
        r"\cite[",
        r"\r{",
        "$x",
        "a. ",
    ],
)
def test_reading_takes_time_in_proportion_to_the_text(unit: str) -> None:
    begun = time.process_time()
    readable(unit * (20_000 // len(unit)))
    readable("$" + unit * (20_000 // len(unit)) + "$")
    assert time.process_time() - begun < 5


def test_maths_is_found_with_its_place() -> None:
    text = r"cost $5: $x$, \(y\), $$z$$ and \[w\] or $6"
    assert [(text[span.start : span.end], span.inner) for span in latex.maths(text)] == [
        ("$x$", "x"),
        (r"\(y\)", "y"),
        ("$$z$$", "z"),
        (r"\[w\]", "w"),
    ]


def test_real_abstracts_keep_no_backslash_and_hardly_a_dollar(shared: Path) -> None:
    with lzma.open(shared / "data/corpus/2020-2022.jsonl.xz") as file:
        records = [msgspec.json.decode(line) for line in itertools.islice(file, 2000)]
    texts = [record[part] for record in records for part in ("title", "abstract")]
    marked = [text for text in texts if "\\" in text or "$" in text]
    shown = [readable(text) for text in marked]
    assert len(marked) > 100
    assert not any("\\" in text for text in shown)
    assert sum("$" in text for text in shown) <= len(shown) // 50
    assert all(readable(text) == text for text in texts if text.isascii() and text.isalnum())
