// The search of the site: all words must stand in the title of a post or of one of its papers.
"use strict";
(() => {
  const form = document.querySelector("form.search");
  const field = form.querySelector("input");
  const count = form.querySelector(".count");
  const hits = form.querySelector(".hits");
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  let posts = null;

  const load = () => {
    if (posts) return;
    posts = [];
    const script = document.createElement("script"); // a page opened from a disk may fetch nothing
    script.src = form.dataset.titles;
    script.onload = () => {
      posts = window.digestTitles.map(([path, title, day, papers]) => ({
        path, title, day, papers: papers.map((paper) => [paper, plain(paper)]), own: plain(`${title} ${day}`),
      }));
      show();
    };
    document.head.append(script);
  };

  const holds = (text, words) => words.every((word) => text.includes(word));

  const find = (words) => posts.flatMap((post) => {
    const papers = post.papers.filter(([, text]) => holds(text, words)).map(([title]) => title);
    return papers.length || holds(post.own, words) ? [{ post, papers }] : [];
  });

  const marked = (title, words) => {
    // Marked where no folding has moved the letters; a title is shown whole in any case.
    const text = plain(title);
    const line = document.createElement("span");
    if (text.length !== title.length) { line.textContent = title; return line; }
    let at = 0;
    while (at < title.length) {
      const next = words.map((word) => [text.indexOf(word, at), word]).filter(([place]) => place >= 0)
        .sort((one, other) => one[0] - other[0] || other[1].length - one[1].length)[0];
      if (!next) break;
      const mark = document.createElement("mark");
      mark.textContent = title.slice(next[0], next[0] + next[1].length);
      line.append(title.slice(at, next[0]), mark);
      at = next[0] + next[1].length;
    }
    line.append(title.slice(at));
    return line;
  };

  const item = ({ post, papers }, words) => {
    const row = document.createElement("li");
    const link = document.createElement("a");
    link.href = `${form.dataset.root}/${post.path}`;
    link.textContent = `${post.title}${form.dataset.comma}${post.day}`;
    row.append(link);
    for (const paper of papers) {
      const line = document.createElement("p");
      line.append(marked(paper, words));
      row.append(line);
    }
    return row;
  };

  const show = () => {
    const words = plain(field.value).split(/\s+/).filter(Boolean);
    const found = words.length ? find(words) : [];
    hits.replaceChildren(...found.slice(0, 50).map((one) => item(one, words)));
    const told = found.length ? form.dataset.found.replace("{n}", found.length) : form.dataset.none;
    count.textContent = words.length && posts.length ? told : "";
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  field.addEventListener("focus", load);
  field.addEventListener("input", () => { load(); show(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== field) { event.preventDefault(); field.focus(); }
    if (event.key === "Escape" && document.activeElement === field) { field.value = ""; show(); }
  });
})();
