// The waterfall: a tree of rows with bars on one time axis. Only the rows in view exist in the page, so a run of thousands of steps stays
// quick. Data reaches the page through textContent alone. Keys: up, down, page up, page down, home, end; left and right fold; enter selects.
const ROW = 26;
const OVERSCAN = 12;
const states = new WeakMap();

function el(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function isDark(root) {
  const probe = el("span");
  probe.style.color = "var(--st-background-color)";
  root.appendChild(probe);
  const rgb = (getComputedStyle(probe).color.match(/[\d.]+/g) || [255, 255, 255]).map(Number);
  probe.remove();
  return rgb[0] * 0.299 + rgb[1] * 0.587 + rgb[2] * 0.114 < 128;
}

function visibleRows(state) {
  const shown = [];
  let below = Infinity;
  state.rows.forEach((row, place) => {
    if (row.depth > below) return;
    below = state.closed.has(row.id) && row.id ? row.depth : Infinity;
    shown.push(place);
  });
  return shown;
}

function describe(row) {
  if (row.fold) return row.label;
  const parts = [row.word, row.label, row.took && `took ${row.took}`, `starts ${row.start}`, `status ${row.status}`, ...row.marks];
  if (row.troubled) parts.push("an error below");
  if (row.critical) parts.push("on the critical path");
  return parts.filter(Boolean).join(", ");
}

function nameCell(state, row) {
  const cell = el("div", "cell");
  cell.style.paddingLeft = `${0.4 + row.depth * 0.85}rem`;
  const twist = el("span", "twist", row.children ? (state.closed.has(row.id) ? "▸" : "▾") : "");
  twist.dataset.twist = "1";
  const icon = el("span", "icon", row.icon);
  icon.style.color = row.colours[state.dark ? 1 : 0];
  icon.setAttribute("aria-hidden", "true");
  const word = el("span", "muted", row.word);
  word.style.color = row.colours[state.dark ? 1 : 0];
  word.style.opacity = "1";
  cell.append(twist, icon, word, el("span", "label", row.label));
  if (row.status === "error") cell.append(el("span", "mark bad", "✗ error"));
  else if (row.troubled) cell.append(el("span", "mark bad", "! below"));
  if (row.status === "running") cell.append(el("span", "mark", "● running"));
  for (const text of row.marks) cell.append(el("span", `mark ${state.tones[text] || ""}`, text));
  return cell;
}

function track(state, row) {
  const box = el("div", "track");
  for (const tick of state.ticks) {
    const line = el("span", tick.idle ? "idleband" : "grid");
    if (tick.idle) { line.style.left = `${(tick.at - 0.014) * 100}%`; line.style.width = "2.8%"; } else line.style.left = `${tick.at * 100}%`;
    box.append(line);
  }
  const colour = row.colours[state.dark ? 1 : 0];
  const bar = el("span", row.point ? "point" : `bar ${row.status}${row.children && row.kind !== "model" && row.kind !== "tool" ? " faint" : ""}`);
  bar.style.left = `${row.x * 100}%`;
  if (!row.point) bar.style.width = `${row.w * 100}%`;
  bar.style.backgroundColor = row.point && row.status === "error" ? "var(--st-red-color)" : colour;
  box.append(bar);
  if (row.critical && !row.point) {
    const line = el("span", "critical");
    line.style.left = `${row.x * 100}%`;
    line.style.width = `${row.w * 100}%`;
    box.append(line);
  }
  return box;
}

function rowElement(state, place, index) {
  const row = state.rows[place];
  const node = el("div", "row");
  node.id = `row-${place}`;
  node.dataset.place = place;
  node.style.top = `${index * ROW}px`;
  node.setAttribute("role", "treeitem");
  node.setAttribute("aria-level", row.depth + 1);
  node.setAttribute("aria-label", describe(row));
  node.title = describe(row);
  if (row.children) node.setAttribute("aria-expanded", String(!state.closed.has(row.id)));
  const selected = row.id && row.id === state.selected;
  node.setAttribute("aria-selected", String(Boolean(selected)));
  node.classList.toggle("selected", Boolean(selected));
  node.classList.toggle("error", row.status === "error");
  node.classList.toggle("cursor", place === state.cursor);
  if (row.fold) {
    const cell = el("div", "cell fold muted", row.label);
    cell.style.paddingLeft = `${1.9 + row.depth * 0.85}rem`;
    node.append(cell);
  } else node.append(nameCell(state, row), el("div", "took", row.took), track(state, row));
  return node;
}

function draw(state) {
  state.shown = visibleRows(state);
  state.body.style.height = `${state.shown.length * ROW}px`;
  const first = Math.max(0, Math.floor(state.scroll.scrollTop / ROW) - OVERSCAN);
  const last = Math.min(state.shown.length, first + Math.ceil((state.scroll.clientHeight || 400) / ROW) + 2 * OVERSCAN);
  state.body.replaceChildren(...state.shown.slice(first, last).map((place, offset) => rowElement(state, place, first + offset)));
  state.scroll.setAttribute("aria-activedescendant", `row-${state.cursor}`);
}

function reveal(state, place) {
  state.shown = visibleRows(state);
  const index = state.shown.indexOf(place);
  if (index < 0) return;
  const top = index * ROW, view = state.scroll.clientHeight - ROW;
  if (top < state.scroll.scrollTop) state.scroll.scrollTop = top;
  else if (top + ROW > state.scroll.scrollTop + view) state.scroll.scrollTop = top + ROW - view + 3 * ROW;
}

function select(state, place) {
  state.cursor = place;
  const row = state.rows[place];
  if (row && row.id && row.id !== state.selected) {
    state.selected = row.id;
    state.send("select", row.id);
  }
  draw(state);
}

function toggle(state, row, closed) {
  if (!row || !row.children) return;
  if (closed) state.closed.add(row.id); else state.closed.delete(row.id);
  draw(state);
}

function onKey(state, event) {
  const index = state.shown.indexOf(state.cursor);
  const page = Math.max(1, Math.floor(state.scroll.clientHeight / ROW) - 2);
  const to = { ArrowDown: index + 1, ArrowUp: index - 1, PageDown: index + page, PageUp: index - page, Home: 0, End: Infinity }[event.key];
  const row = state.rows[state.cursor];
  if (to !== undefined) {
    state.cursor = state.shown[Math.max(0, Math.min(to, state.shown.length - 1))];
    reveal(state, state.cursor);
    draw(state);
  } else if (event.key === "ArrowRight") toggle(state, row, false);
  else if (event.key === "ArrowLeft") toggle(state, row, true);
  else if (event.key === "Enter" || event.key === " ") select(state, state.cursor);
  else return;
  event.preventDefault();
}

function onClick(state, event) {
  const node = event.target.closest(".row");
  if (!node) return;
  const place = Number(node.dataset.place);
  if (event.target.dataset.twist && state.rows[place].children) toggle(state, state.rows[place], !state.closed.has(state.rows[place].id));
  else select(state, place);
}

function create(parent) {
  const root = el("div", "root"), scroll = el("div", "scroll"), head = el("div", "head"), body = el("div", "body");
  const axis = el("div", "axis");
  head.append(el("div", "name", "Step"), el("div", "took", "Took"), axis);
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "tree");
  scroll.setAttribute("aria-label", "Steps of the run. Arrow keys move, left and right fold, enter selects.");
  scroll.append(head, body);
  root.append(scroll);
  parent.append(root);
  const state = { root, scroll, axis, body, closed: new Set(), cursor: 0, rows: [], shown: [], selected: null };
  scroll.addEventListener("scroll", () => requestAnimationFrame(() => draw(state)));
  scroll.addEventListener("keydown", (event) => onKey(state, event));
  body.addEventListener("click", (event) => onClick(state, event));
  return state;
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let state = states.get(parentElement);
  if (!state || !parentElement.contains(state.root)) { state = create(parentElement); states.set(parentElement, state); }
  const moved = data.selected !== state.selected;
  Object.assign(state, { rows: data.rows, ticks: data.ticks, selected: data.selected, tones: data.tones, send: setTriggerValue, dark: isDark(state.root) });
  state.scroll.style.maxHeight = `${data.height}px`;
  state.axis.replaceChildren(...data.ticks.map((tick) => {
    const mark = el("span", tick.idle ? "tick idle" : "tick", tick.idle ? `⋯ ${tick.label}` : tick.label);
    mark.style.left = `${tick.at * 100}%`;
    return mark;
  }));
  const place = state.rows.findIndex((row) => row.id && row.id === data.selected);
  if (place >= 0) state.cursor = place;
  draw(state);
  if (moved && place >= 0) { reveal(state, place); draw(state); }
}
