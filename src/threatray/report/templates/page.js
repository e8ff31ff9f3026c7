"use strict";
// Sort a table by a column: by the exact number behind a cell where there is one, else by its words.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), body = head.closest("table").tBodies[0], place = head.cellIndex;
    const up = head.getAttribute("aria-sort") === "descending" || (!head.hasAttribute("aria-sort") && !head.classList.contains("num"));
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = (row) => row.cells[place].dataset.value ?? "";
    const order = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return x === "" ? (y === "" ? row(a, b) : 1) : -1;
      return (up ? 1 : -1) * (x - y);
    };
    const row = (a, b) => (up ? 1 : -1) * a.cells[place].textContent.localeCompare(b.cells[place].textContent);
    body.append(...[...body.rows].sort(order));
  });
}
// Enlarge a picture, with its boxes; any click or Escape closes it.
const dialog = document.querySelector("dialog");
for (const button of document.querySelectorAll("button.enlarge")) {
  button.addEventListener("click", () => {
    const words = document.createElement("p");
    words.textContent = button.querySelector("img").alt;
    const frame = document.createElement("div");
    frame.className = "boxed";
    frame.append(...[...button.children].map((child) => child.cloneNode(true)));
    dialog.replaceChildren(frame, words);
    dialog.showModal();
  });
}
dialog.addEventListener("click", () => dialog.close());
// Boxes off and on.
for (const button of document.querySelectorAll("button.switch")) {
  button.addEventListener("click", () => {
    const hidden = button.closest("section").classList.toggle("hide-boxes");
    button.textContent = hidden ? "Show boxes" : "Hide boxes";
  });
}
// Paper has no click: open what is folded.
addEventListener("beforeprint", () => { for (const one of document.querySelectorAll("details.print")) one.open = true; });
