// The desk: a preview that follows what is typed, a warning before typed text is left behind.
"use strict";
(() => {
  const form = document.querySelector("form.editor");
  if (!form) return;
  const text = form.querySelector("textarea");
  const shown = document.getElementById("messages");
  const before = text.value;
  let timer = 0, asked = null, leaving = false;

  const preview = async () => {
    asked?.abort();
    asked = new AbortController();
    shown.setAttribute("aria-busy", "true");
    const body = new URLSearchParams(new FormData(form));
    body.set("alone", "1");
    try {
      const answer = await fetch(form.dataset.preview, { method: "POST", body, signal: asked.signal });
      if (answer.redirected || !answer.ok) return;
      const made = new DOMParser().parseFromString(await answer.text(), "text/html");
      shown.replaceChildren(...made.body.childNodes);
      shown.removeAttribute("aria-busy");
    } catch (error) {
      if (error.name !== "AbortError") shown.removeAttribute("aria-busy");
    }
  };

  text.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(preview, 300); });
  form.addEventListener("submit", () => { leaving = true; });
  addEventListener("pageshow", () => { leaving = false; });
  addEventListener("beforeunload", (event) => { if (!leaving && text.value !== before) event.preventDefault(); });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "s") {
      event.preventDefault();
      form.requestSubmit(form.querySelector('button[value="save"]'));
    }
  });
})();
