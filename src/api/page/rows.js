/** Lists that are shown again and again: what stays keeps its place, its focus and what is open in it. */
import { element, replace } from './element.js';

/**
 * `summary(item)` gives the children of a row's line, `detail(item)` those of what it opens to, perhaps later. `empty()`
 * says what a list with nothing in it means.
 */
export function createRows(list, { keyOf, summary, detail = null, empty }) {
  const known = new Map();

  function show(items) {
    const wanted = new Map(items.map((item) => [keyOf(item), item]));
    for (const [key, row] of known) {
      row.isStale = !wanted.has(key);
      if (row.isStale && !isInUse(row)) {
        row.node.remove();
        known.delete(key);
      }
      tellStale(row);
    }
    let place = list.firstChild;
    const isPassed = (node) =>
      node !== null && [...known.values()].some((row) => row.node === node && row.isStale);
    for (const [key, item] of wanted) {
      while (isPassed(place)) place = place.nextSibling;
      const row = rowOf(key, item);
      if (row.node === place) place = place.nextSibling;
      else list.insertBefore(row.node, place);
    }
    for (const each of [...list.children]) if (each.classList.contains('empty')) each.remove();
    if (known.size === 0) list.append(element('li', { class: 'empty' }, empty()));
  }

  function rowOf(key, item) {
    const text = JSON.stringify(item);
    const row = known.get(key) ?? createRow(key);
    if (row.text !== text) {
      row.text = text;
      row.item = item;
      const hadFocus = row.line !== document.activeElement && row.line.contains(document.activeElement);
      replace(row.line, summary(item));
      if (hadFocus) row.line.querySelector('a')?.focus();
      if (row.details?.open) fill(row);
    }
    return row;
  }

  function createRow(key) {
    const row = { node: element('li', { class: 'row' }), text: null, item: null, isStale: false };
    if (detail === null) {
      row.line = element('div', { class: 'line' });
      row.node.append(row.line);
    } else {
      row.line = element('summary', { class: 'line' });
      row.body = element('div', { class: 'detail' });
      row.details = element('details', {}, row.line, row.body);
      row.details.addEventListener('toggle', () => row.details.open && fill(row));
      row.node.append(row.details);
    }
    known.set(key, row);
    return row;
  }

  async function fill(row) {
    const { item } = row;
    if (row.body.childElementCount === 0) replace(row.body, element('p', { class: 'quiet' }, 'Loading…'));
    let content;
    try {
      content = await detail(item);
    } catch (error) {
      content = element('p', { class: 'fault' }, `It could not be read: ${error.message}`);
    }
    // A newer state may be on its way already.
    if (row.item !== item) return;
    const restore = remember(row.body);
    replace(row.body, content);
    restore();
  }

  return { show };
}

function tellStale(row) {
  row.node.classList.toggle('stale', row.isStale);
  const told = row.line.querySelector('.gone');
  if (!row.isStale) told?.remove();
  else if (!told)
    row.line.append(element('span', { class: 'badge gone', 'data-kind': 'quiet' }, '· no longer listed'));
}

/** What is unfolded and what has the focus, to be so again in what takes its place. */
function remember(body) {
  const unfolded = namedParts(body, 'details')
    .filter(([part]) => part.open)
    .map(([, name]) => name);
  const [, focused] = namedParts(body, FOCUSABLE).find(([part]) => part === document.activeElement) ?? [];
  return () => {
    for (const [part, name] of namedParts(body, 'details')) part.open = unfolded.includes(name);
    namedParts(body, FOCUSABLE)
      .find(([, name]) => name === focused)?.[0]
      .focus();
  };
}

const FOCUSABLE = 'a, summary, pre';

/** A part is called what it is called, and the how manieth of that name it is. */
function namedParts(body, selector) {
  const seen = new Map();
  return [...body.querySelectorAll(selector)].map((part) => {
    const name = part.matches('pre') ? 'pre' : (part.querySelector('summary') ?? part).textContent;
    seen.set(name, (seen.get(name) ?? 0) + 1);
    return [part, `${name} ${seen.get(name)}`];
  });
}

/** Somebody reads it: it goes when they are done. */
const isInUse = ({ details, node }) => details?.open === true || node.contains(document.activeElement);
