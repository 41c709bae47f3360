// Keys judged by the keyboard: j and k go on and back, a accepts, r rejects, u takes the last one back.
"use strict";
(() => {
  const list = document.querySelector(".keys");
  const told = document.getElementById("told");
  if (!list) return;
  const judged = [];
  const cards = () => [...list.querySelectorAll(".key")];
  const help = document.querySelector(".keys-help");
  if (help) help.hidden = false;

  const send = async (form, what) => {
    const body = new URLSearchParams(new FormData(form));
    body.set("do", what);
    const answer = await fetch(form.action, { method: "POST", body });
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return page.querySelector(".note")?.textContent ?? "";
  };

  const judge = async (card, what) => {
    const form = card.querySelector("form");
    if (card.dataset.busy || !form.querySelector(`button[value="${what}"]`)) return;
    card.dataset.busy = "1";
    const all = cards(), at = all.indexOf(card), next = all[at + 1] ?? all[at - 1];
    try {
      told.textContent = await send(form, what);
      judged.push([card, card.nextElementSibling]);
      card.remove();
      next?.focus();
    } catch {
      form.requestSubmit(form.querySelector(`button[value="${what}"]`)); // without us: the page says what is wrong
    } finally {
      delete card.dataset.busy;
    }
  };

  const undo = async () => {
    const last = judged.pop();
    if (!last) return;
    const [card, before] = last;
    told.textContent = await send(card.querySelector("form"), "undo");
    list.insertBefore(card, before && before.parentNode === list ? before : null);
    card.focus();
  };

  const go = (step) => {
    const all = cards(), at = all.indexOf(document.activeElement.closest?.(".key"));
    const next = all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + step))];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    const card = document.activeElement.closest?.(".key");
    if (event.key === "j") go(1);
    else if (event.key === "k") go(-1);
    else if (event.key === "a" && card) judge(card, "accept");
    else if (event.key === "r" && card) judge(card, "reject");
    else if (event.key === "u") undo();
    else return;
    event.preventDefault();
  });

  list.addEventListener("submit", (event) => {
    const card = event.target.closest(".key"), what = event.submitter?.value;
    if (!card || card.dataset.busy || (what !== "accept" && what !== "reject")) return;
    event.preventDefault();
    judge(card, what);
  });
})();
