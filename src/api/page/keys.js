/** Keys for those who do not reach for a mouse. Everything is reachable by Tab without them. */

/** `search`: the field; `openHelp` and `close` do what they say. */
export function listenToKeys({ search, openHelp, close }) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector('dialog[open]')) return;
    if (event.key === 'Escape') return void close();
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? '')) return;
    const act = actionOf(event.key, { search, openHelp });
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function actionOf(key, { search, openHelp }) {
  if (key === '/')
    return () => {
      search.focus();
      search.select();
    };
  if (key === '?') return openHelp;
  if (key === 'j') return () => move(1);
  if (key === 'k') return () => move(-1);
  // Elsewhere the arrows scroll, as everywhere.
  if (!document.activeElement?.matches('.row summary')) return null;
  if (key === 'ArrowDown') return () => move(1);
  if (key === 'ArrowUp') return () => move(-1);
  return null;
}

function move(step) {
  const rows = [...document.querySelectorAll('.rows summary.line')].filter((row) => row.checkVisibility());
  const current = rows.indexOf(document.activeElement?.closest('.row')?.querySelector('summary.line'));
  const next = current === -1 ? (step > 0 ? 0 : rows.length - 1) : current + step;
  const row = rows[Math.max(0, Math.min(rows.length - 1, next))];
  row?.focus();
  row?.scrollIntoView({ block: 'nearest' });
}
