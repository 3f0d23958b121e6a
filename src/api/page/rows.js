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
      row.node.classList.toggle('stale', row.isStale);
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
    if (row.item === item) replace(row.body, content);
  }

  return { show };
}

/** Somebody reads it: it goes when they are done. */
const isInUse = ({ details, node }) => details?.open === true || node.contains(document.activeElement);
