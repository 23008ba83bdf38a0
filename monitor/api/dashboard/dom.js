/**
 * Building elements without markup strings: text stays text, and no style attribute is ever written, so nothing that a
 * participant calls themselves can become markup and the content-security policy holds.
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {Element} element
 * @param {Object<string, unknown>} attributes
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
 * @param {string} tag
 * @param {Object<string, unknown>} [attributes]
 * @param {...(Node | string | null)} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

/**
 * An SVG element.
 * @param {string} tag
 * @param {Object<string, unknown>} [attributes]
 * @param {...(Node | string | null)} children
 * @returns {SVGElement}
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
 * Writes a description list; its elements are replaced only where the names changed.
 * @param {HTMLElement} list
 * @param {Array<[string, string]>} entries
 */
export function pairs(list, entries) {
  if (list.children.length !== entries.length) {
    list.replaceChildren(...entries.map(() => h("div", {}, h("dt"), h("dd"))));
  }
  entries.forEach(([name, value], index) => {
    const [term, words] = list.children[index].children;
    write(term, name);
    write(words, value);
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
 * Calls `draw(width)` whenever the element's width in CSS pixels changes, and once when it is first shown.
 * @param {Element} element
 * @param {(width: number) => void} draw
 */
export function onWidth(element, draw) {
  new ResizeObserver(([{ contentRect }]) => contentRect.width > 0 && draw(Math.round(contentRect.width))).observe(element);
}
