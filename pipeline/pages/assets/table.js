// The table of videos: sorted by the buttons in its head, filtered by text and by state.
const table = document.getElementById("videos-table");
const body = table.tBodies[0];
const heads = [...table.tHead.rows[0].cells];
const filter = document.getElementById("filter");
const state = document.getElementById("state");
const shown = document.getElementById("shown");
const collator = new Intl.Collator("en", { numeric: true });

// A video as it is searched and sorted, read from the page once: pages may hold thousands of rows.
const videos = [...body.rows].map((row) => ({
  row,
  state: row.dataset.state,
  text: `${row.cells[0].textContent} ${row.cells[3].textContent}`.toLowerCase(),
  values: [...row.cells].map((cell) => cell.dataset.v),
}));

function compare(column, isText) {
  return (a, b) => {
    const [x, y] = [a.values[column], b.values[column]];
    return isText ? collator.compare(x, y) : Number(x) - Number(y);
  };
}

// Videos without a value stay at the end, whichever way the others are sorted.
function sort(column) {
  const head = heads[column];
  const isText = head.dataset.text !== undefined;
  const before = head.getAttribute("aria-sort");
  const first = isText ? "ascending" : "descending";
  const other = isText ? "descending" : "ascending";
  const order = before === first ? other : first;
  for (const one of heads) one.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  const known = videos.filter((video) => video.values[column] !== undefined);
  const unknown = videos.filter((video) => video.values[column] === undefined);
  known.sort(compare(column, isText));
  if (order === "descending") known.reverse();
  body.append(...[...known, ...unknown].map((video) => video.row));
}

function show() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const video of videos) {
    const fits =
      words.every((word) => video.text.includes(word)) && (!state.value || video.state === state.value);
    video.row.hidden = !fits;
    count += fits;
  }
  shown.textContent = count === videos.length ? `${count} videos` : `${count} of ${videos.length} videos`;
}

heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => sort(column)));
filter.addEventListener("input", show);
state.addEventListener("change", show);
// Browsers put back what stood in the fields when the page was left.
show();
