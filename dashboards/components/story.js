// The story of a run as a list of items. Data reaches the page through textContent alone; nothing is parsed as HTML or Markdown, no
// address in a prompt becomes a request. Keys: tab or arrows move between items, enter selects.
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

function contentBlock(block) {
  const isMessage = block.type === "message";
  const code = !isMessage || block.sort !== "text" || block.text.startsWith("{") || block.text.startsWith("[");
  const box = el("div", `block${block.answer ? " answer" : ""}${code ? " code" : ""}`);
  const sorts = { tool_call: " · calls a tool", tool_result: " · tool result", reasoning: " · thinks", blob: " · content", file: " · file" };
  box.append(el("div", "tag", isMessage ? block.role + (sorts[block.sort] || "") : block.label), el("div", "text", block.text));
  if (block.more) box.append(el("div", "more", `… ${block.more.toLocaleString()} more characters: select the step to read all`));
  return box;
}

function blocks(item) {
  const nodes = [];
  let facts = null;
  for (const block of item.blocks) {
    if (block.type === "fact") {
      if (!facts) { facts = el("dl", "factlist"); nodes.push(facts); }
      facts.append(el("dt", "", block.label), el("dd", "", block.text));
    } else if (block.type === "note" || block.type === "failure") nodes.push(el("div", block.type, (block.type === "failure" ? "✗ " : "") + block.text));
    else nodes.push(contentBlock(block));
  }
  return nodes;
}

function itemElement(item, dark) {
  const node = el("article", "item");
  const colour = item.colours[dark ? 1 : 0];
  node.tabIndex = 0;
  node.dataset.id = item.id;
  node.style.marginLeft = `${item.depth * 0.7}rem`;
  const icon = el("span", "icon", item.icon);
  icon.style.color = colour;
  icon.setAttribute("aria-hidden", "true");
  const title = el("div", "title"), word = el("span", "word", item.word);
  word.style.color = colour;
  title.append(word, el("span", "what", item.title));
  if (item.status === "error") title.append(el("span", "mark bad", "✗ error"));
  for (const tag of item.tags) title.append(el("span", `mark ${tag.tone}`, tag.text));
  const facts = el("span", "facts", [item.tokens, item.cost, item.took, item.offset].filter(Boolean).join(" · "));
  facts.title = `${item.at} UTC`;
  title.append(facts);
  node.append(icon, title, ...blocks(item));
  return node;
}

function mark(state) {
  for (const node of state.scroll.children) {
    const on = node.dataset.id === state.selected;
    node.classList.toggle("selected", on);
    node.setAttribute("aria-current", String(on));
  }
}

function choose(state, node) {
  if (!node || node.dataset.id === state.selected) return;
  state.selected = node.dataset.id;
  mark(state);
  state.send("select", state.selected);
}

function create(parent) {
  const root = el("div", "root"), scroll = el("div", "scroll");
  scroll.setAttribute("role", "feed");
  scroll.setAttribute("aria-label", "What happened, in order");
  root.append(scroll);
  parent.append(root);
  const state = { root, scroll, selected: null, drawn: "" };
  scroll.addEventListener("click", (event) => {
    if (String(window.getSelection())) return;
    choose(state, event.target.closest(".item"));
  });
  scroll.addEventListener("keydown", (event) => {
    const node = event.target.closest(".item");
    if (!node) return;
    if (event.key === "ArrowDown" && node.nextElementSibling) node.nextElementSibling.focus();
    else if (event.key === "ArrowUp" && node.previousElementSibling) node.previousElementSibling.focus();
    else if (event.key === "Enter") choose(state, node);
    else return;
    event.preventDefault();
  });
  return state;
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let state = states.get(parentElement);
  if (!state || !parentElement.contains(state.root)) { state = create(parentElement); states.set(parentElement, state); }
  state.send = setTriggerValue;
  state.scroll.style.maxHeight = `${data.height}px`;
  state.scroll.style.overflowY = "auto";
  const dark = isDark(state.root), drawn = JSON.stringify([data.items, dark]);
  if (drawn !== state.drawn) {
    state.scroll.replaceChildren(...data.items.map((item) => itemElement(item, dark)));
    state.drawn = drawn;
  }
  const moved = data.selected !== state.selected;
  state.selected = data.selected;
  mark(state);
  const node = [...state.scroll.children].find((child) => child.dataset.id === data.selected);
  if (moved && node) state.scroll.scrollTop = Math.max(0, node.offsetTop - 40);
}
