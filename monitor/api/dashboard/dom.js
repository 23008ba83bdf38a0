/**
 * Building elements without markup strings: text stays text, and no style attribute is ever written, so nothing that a
 * participant calls themselves can become markup and the content-security policy holds.
 */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Object<string, unknown>} Attributes a value of true gives an empty attribute; null, undefined and false none */

/**
 * @param {Element} element
 * @param {Attributes} attributes
 * @param {Array<Node | string | null>} children
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null));
}

/**
 * An HTML element.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...(Node | string | null)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

/**
 * An SVG element.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...(Node | string | null)} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  fill(element, attributes, children);
  return element;
}

/**
 * Sets text only when it differs, so that an untouched page stays untouched (selection, screen readers, layout).
 * @param {Element} element
 * @param {string} text
 */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Writes a description list; its elements are replaced only where their number changed.
 * @param {HTMLElement} list
 * @param {Array<[string, string, string?]>} entries name, value, and what a pointer on the name is told
 */
export function pairs(list, entries) {
  if (list.children.length !== entries.length) {
    list.replaceChildren(...entries.map(() => h("div", {}, h("dt"), h("dd"))));
  }
  entries.forEach(([name, value, hint = ""], index) => {
    const [term, description] = list.children[index]?.children ?? [];
    if (!term || !description) return;
    write(term, name);
    write(description, value);
    if (hint) term.setAttribute("title", hint);
    else term.removeAttribute("title");
  });
}

/**
 * An element of the page that must exist.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

/**
 * Shows a message in a notice of the page, or hides the notice.
 * @param {string} id
 * @param {string} text empty hides it
 */
export function notify(id, text) {
  write(byId(id), text);
  byId(id).hidden = !text;
}

/**
 * What a custom event carries. Whoever dispatches it says in its documentation what that is.
 * @param {Event} event
 * @returns {any}
 */
export function detailOf(event) {
  return event instanceof CustomEvent ? event.detail : undefined;
}

/**
 * Calls `draw(width)` whenever the element's width in CSS pixels changes, and once when it is first shown.
 * @param {Element} element
 * @param {(width: number) => void} draw
 */
export function onWidth(element, draw) {
  const observer = new ResizeObserver((entries) => {
    const width = entries[0]?.contentRect.width ?? 0;
    if (width > 0) draw(Math.round(width));
  });
  observer.observe(element);
}
