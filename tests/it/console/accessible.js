// What is wrong with the page, as sentences. Run in it by accessible.rs.
const wrong = [];
const isSeen = (it) => it.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !it.closest("[inert]");
const where = (it) => `${it.tagName.toLowerCase()}${it.id && `#${it.id}`}.${it.className} "${it.textContent.trim().slice(0, 40)}"`;
const top = [...document.querySelectorAll("dialog[open]")].pop() ?? document.body;
const seen = (selector) => [...top.querySelectorAll(selector)].filter(isSeen);
const say = (it, words) => wrong.push(`${where(it)}: ${words}`);
const byIds = (ids) => ids.split(/\s+/).filter(Boolean).map((id) => document.getElementById(id));

// Names.
const named = (it) =>
  it.getAttribute("aria-label")?.trim() || byIds(it.getAttribute("aria-labelledby") ?? "").some((other) => other?.textContent.trim());
for (const it of seen("input, select, textarea")) {
  if (!named(it) && ![...(it.labels ?? [])].some((label) => label.textContent.trim())) {
    say(it, "has no label");
  }
}
for (const it of seen("button, a[href], summary")) {
  if (!named(it) && !it.textContent.trim() && !it.querySelector("img[alt]:not([alt=''])")) {
    say(it, "has no name");
  }
}
for (const it of seen("img:not([alt]), svg:not([role=img]):not([aria-hidden=true])")) {
  say(it, "says nothing of what it shows");
}
for (const it of seen("[role=img], dialog, nav, [role=group], [role=radiogroup]")) {
  if (!named(it)) {
    say(it, "has no name");
  }
}

// The page as a whole.
if (!document.documentElement.lang || !document.title.trim()) {
  wrong.push("the page has no language or no title");
}
if (document.querySelectorAll("main").length !== 1 || document.querySelectorAll("h1").length !== 1) {
  wrong.push("the page has not one main part with one heading");
}
let level = 0;
for (const it of seen("h1, h2, h3, h4, h5, h6")) {
  const next = Number(it.tagName.slice(1));
  if (level > 0 && next > level + 1) {
    say(it, `comes after a heading of level ${level}`);
  }
  level = next;
}
const ids = [...document.querySelectorAll("[id]")].map((it) => it.id);
for (const id of ids.filter((id, at) => ids.indexOf(id) !== at)) {
  wrong.push(`#${id} is repeated`);
}
for (const name of ["for", "aria-labelledby", "aria-describedby", "aria-controls"]) {
  for (const it of document.querySelectorAll(`[${name}]`)) {
    if (byIds(it.getAttribute(name)).includes(null)) {
      say(it, `${name} leads nowhere`);
    }
  }
}

// Room: nothing to scroll sideways but what scrolls by itself, and targets of 24 pixels that are not within a text.
const page = document.documentElement;
if (page.scrollWidth > page.clientWidth) {
  wrong.push(`the page is ${page.scrollWidth - page.clientWidth} pixels too wide`);
}
if (top.scrollWidth > top.clientWidth + 1) {
  say(top, "is too wide");
}
for (const it of seen("button, input, select, textarea, summary, nav a, a.button")) {
  const { width, height } = it.getBoundingClientRect();
  if (width > 0 && (width < 24 || height < 24) && !it.labels?.length) {
    say(it, `is ${Math.round(width)} by ${Math.round(height)} pixels`);
  }
}
for (const it of seen("*")) {
  const style = getComputedStyle(it);
  const scrolls = /auto|scroll/.test(style.overflowX) && it.scrollWidth > it.clientWidth;
  if (scrolls && it !== page && it !== top && it.tabIndex < 0 && !it.querySelector("a, button, input, [tabindex]")) {
    say(it, "scrolls, and not by keyboard");
  }
}

// Whoever uses the keyboard sees where they are.
const before = document.activeElement;
for (const it of seen("a[href], button, input, select, textarea, summary, [tabindex='0']")) {
  // One that has it already, from the mouse, shows it only when it gets it anew.
  document.activeElement?.blur();
  it.focus({ focusVisible: true, preventScroll: true });
  const style = getComputedStyle(it);
  if (document.activeElement === it && (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2)) {
    say(it, "does not show that it has the focus");
  }
}
before?.focus({ preventScroll: true });
return wrong;
