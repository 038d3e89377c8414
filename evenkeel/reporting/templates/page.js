"use strict";
// The page can be read without this: it opens and closes, sorts and searches what is there.

const tip = document.getElementById("tip");

function showTip(event) {
  const marked = event.target.closest("[data-tip]");
  tip.hidden = !marked;
  if (!marked) return;
  tip.textContent = marked.dataset.tip;
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.min(event.clientX + 12, document.documentElement.clientWidth - width - 8);
  const above = event.clientY - height - 12;
  tip.style.left = `${Math.max(left, 8)}px`;
  tip.style.top = `${above < 8 ? event.clientY + 16 : above}px`;
}
document.addEventListener("pointerover", showTip);
document.addEventListener("pointerdown", showTip);
document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

const table = document.getElementById("features");
if (table) {
  const features = [...table.tBodies];
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  const opener = (body) => body.querySelector("button");

  function open(body, wanted) {
    body.classList.toggle("open", wanted);
    opener(body).setAttribute("aria-expanded", String(wanted));
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const body of features) {
      body.hidden = !words.every((word) => body.dataset.searched.includes(word));
      shown += Number(!body.hidden);
    }
    found.textContent = `${shown} of ${features.length}`;
  }

  function sort(column, header) {
    const down = header.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (body) => body.rows[0].cells[column].dataset.value;
    const numeric = features.every((body) => !Number.isNaN(Number(key(body))));
    const order = numeric
      ? (a, b) => Number(key(a)) - Number(key(b))
      : (a, b) => (key(a) < key(b) ? -1 : Number(key(a) > key(b)));
    features.sort((a, b) => (down ? order(b, a) : order(a, b)));
    table.append(...features);
  }

  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(column, header));
    header.append(button);
  });

  for (const body of features) {
    open(body, false);
    body.rows[0].addEventListener("click", () => open(body, !body.classList.contains("open")));
  }

  table.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const body = event.target.closest("tbody[data-searched]");
    if (!step || !body || event.target !== opener(body)) return;
    const shown = features.filter((each) => !each.hidden);
    const next = shown[shown.indexOf(body) + step];
    if (!next) return;
    event.preventDefault();
    opener(next).focus();
  });

  search.addEventListener("input", filter);
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    search.value = "";
    filter();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input") || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    search.focus();
  });
  search.closest(".search").hidden = false;
  filter();
}
