// What the page can do more with JavaScript. Everything works without it.
"use strict";

const typing = (where) => where.closest("input, textarea, select, [contenteditable]");

// Keys: "/" goes to the field that says so, "j" and "k" go down and up a list.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && typing(event.target)) event.target.blur();
  if (typing(event.target)) return;
  const field = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === event.key);
  if (field) {
    event.preventDefault();
    field.focus();
    if (field.select) field.select();
  } else if (event.key === "j" || event.key === "k") {
    const links = [...document.querySelectorAll("[data-item]")]
      .filter((one) => one.checkVisibility())
      .map((one) => one.querySelector("a"));
    const now = links.indexOf(document.activeElement);
    const next = links[event.key === "j" ? now + 1 : Math.max(now - 1, 0)];
    if (next) {
      next.focus();
      next.scrollIntoView({ block: "nearest" });
    }
  }
});

// Buttons that copy a text.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = button.dataset.done;
  });
}

// What is at work behind a page is asked for again, and the page opened anew once it is done.
const atWork = document.querySelector("[data-renew]");
const ask = async () => {
  const answer = await fetch(location.href).catch(() => null);
  const page = answer && new DOMParser().parseFromString(await answer.text(), "text/html");
  const now = page && page.querySelector("[data-renew]");
  if (page && !now) return location.reload();
  if (now) atWork.replaceChildren(...now.childNodes);
  setTimeout(ask, 1000 * atWork.dataset.renew);
};
if (atWork) setTimeout(ask, 1000 * atWork.dataset.renew);
