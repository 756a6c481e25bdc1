// Sorting and filtering of the long tables. Without this the page reads the same.
"use strict";

const key = (row, column) => {
  const text = row.cells[column].textContent.trim();
  const number = parseFloat(text.replace(/,/g, ""));
  return [Number.isNaN(number) ? Infinity : number, text];
};

function sortBy(table, column, button) {
  const head = button.closest("th");
  const falling = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  const keyed = [...table.tBodies[0].rows].map((row) => [key(row, column), row]);
  keyed.sort(([[a, one]], [[b, other]]) => (a === b ? one.localeCompare(other, "en", { numeric: true }) : a - b));
  if (falling) keyed.reverse();
  table.tBodies[0].append(...keyed.map(([, row]) => row));
}

function filterTo(table, words, told) {
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    shown += !row.hidden;
  }
  told.textContent = `${shown} of ${table.tBodies[0].rows.length} rows`;
}

for (const table of document.querySelectorAll("table.long")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if (head.classList.contains("wide")) return; // a picture of the numbers beside it
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sortBy(table, column, button));
  });
  const field = document.createElement("label");
  const input = document.createElement("input");
  const told = document.createElement("output");
  input.type = "search";
  field.className = "filter";
  field.append("Filter ", input, told);
  table.parentElement.before(field);
  input.addEventListener("input", () => filterTo(table, input.value.toLowerCase().split(/\s+/).filter(Boolean), told));
  filterTo(table, [], told);
}
