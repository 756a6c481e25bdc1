// Sort and filter the long tables. Without this script the page shows the same content.
"use strict";

// Numbers sort by value, before all texts.
const sortKey = (row, column) => {
  const text = row.cells[column].textContent.trim();
  const number = parseFloat(text.replace(/,/g, ""));
  return [Number.isNaN(number) ? Infinity : number, text];
};

function sortBy(table, column, button) {
  const head = button.closest("th");
  const descending = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const keyed = [...table.tBodies[0].rows].map((row) => [sortKey(row, column), row]);
  keyed.sort(([[a, text]], [[b, other]]) => (a === b ? text.localeCompare(other, "en", { numeric: true }) : a - b));
  if (descending) keyed.reverse();
  table.tBodies[0].append(...keyed.map(([, row]) => row));
}

function filterRows(table, words, status) {
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    shown += !row.hidden;
  }
  status.textContent = `${shown} of ${table.tBodies[0].rows.length} rows`;
}

for (const table of document.querySelectorAll("table.long")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if (head.classList.contains("wide")) return; // The scale shows the numbers of the columns beside it.
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sortBy(table, column, button));
  });
  const field = document.createElement("label");
  const input = document.createElement("input");
  const status = document.createElement("output");
  input.type = "search";
  field.className = "filter";
  field.append("Filter ", input, status);
  table.parentElement.before(field);
  input.addEventListener("input", () => filterRows(table, input.value.toLowerCase().split(/\s+/).filter(Boolean), status));
  filterRows(table, [], status);
}
