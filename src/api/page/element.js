/** Elements. Whatever comes from elsewhere becomes text: nothing here ever parses markup. */

/** Children may be elements, texts, numbers, lists of these; null and undefined are left out. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'href' && !isLink(value)) continue;
    made.setAttribute(name, value === true ? '' : String(value));
  }
  made.append(...nodesOf(children));
  return made;
}

export function replace(parent, ...children) {
  parent.replaceChildren(...nodesOf(children));
}

/** Only where it says something else: what is the same is neither announced nor painted again. */
export function say(parent, text) {
  if (parent.textContent !== text) parent.textContent = text;
}

const nodesOf = (children) =>
  children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));

/** A place on this page, or elsewhere over http. */
export const isLink = (text) => /^(#|https?:\/\/)/.test(text);

/** Terms with what they are; what is null is left out. */
export const facts = (pairs) =>
  element(
    'dl',
    { class: 'facts' },
    pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== '')
      .map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
  );

export const code = (text) => element('code', {}, text);

const LONGEST_JSON = 20_000;

export function json(value) {
  const text = JSON.stringify(value, null, 2) ?? 'null';
  return element(
    'pre',
    { tabindex: '0' },
    text.length > LONGEST_JSON ? `${text.slice(0, LONGEST_JSON)}\n… cut here` : text,
  );
}

/** Folded away until somebody wants it. */
export const folded = (title, ...children) =>
  element('details', { class: 'folded' }, element('summary', {}, title), children);
