'use strict';
// A long table that sorts by a click on a head, filters by choice and text, and grows as it is read. Used like charts.js.
// `both`, where it is given, takes two rows that were ticked. The rows are one stop of the Tab key: arrows, Home and End go along them,
// Enter picks one, Space ticks it.
// file: a name under which what is shown can be saved as CSV.
// columns: [name, kind, filter?, left out on a phone?]; kind: text, ms, count, price, money, cost, ratio, interval (value, low, high), percent (of a result), share, r, reach, size; year: of which times have none; rows: arrays of values in that order; the first is the id, or `ids` are.
const table = (() => {
  const STEP = 100;
  const {number, forms, short} = charts;
  const shown = {
    text: (v) => v ?? '–', ms: (v, year) => v === null ? '–' : short(v, year), count: (v) => number(v, 0), money: (v) => number(v, 2, true), cost: (v) => number(v, 2), ratio: (v) => number(v, 2),
    percent: (v) => v === null ? '–' : forms.percent(v), share: (v) => v === null ? '–' : forms.share(v),
    interval: ([v, low, high]) => v === null ? '–' : `${number(v, 2)} (${low === null ? 'no interval' : `${number(low, 1)} to ${number(high, 1)}`})`,
    r: (v) => v === null ? '–' : forms.r(v), reach: (v) => v === null ? '–' : forms.r(v), size: (v) => v === null ? '–' : String(+v.toPrecision(8)),
    price: (v) => v === null ? '–' : Math.abs(v) >= 1000 ? number(v, 1) : Math.abs(v) >= 10 ? number(v, 2) : String(+v.toPrecision(6)),
  };
  const element = (name, more, ...children) => { const found = Object.assign(document.createElement(name), more); found.append(...children); return found; };
  const first = (v) => Array.isArray(v) ? v[0] : v; // an interval sorts by its value
  const rise = (a, b) => a === b ? 0 : a === null ? 1 : b === null ? -1 : a < b ? -1 : 1;

  // One cell of a CSV; a text that a spreadsheet would take for a formula begins with an apostrophe.
  const csv = (value, kind) => {
    if (value === null || value === undefined) return '';
    if (kind === 'ms') return new Date(value).toISOString();
    if (typeof value === 'number') return String(value);
    if (Array.isArray(value)) return csv(shown[kind](value), 'text');
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const save = (columns, rows, name) => {
    const lines = [columns.map((column) => csv(column[0], 'text')), ...rows.map((row) => row.map((value, n) => csv(value, columns[n][1])))];
    const link = element('a', {href: URL.createObjectURL(new Blob([lines.map((line) => line.join(',') + '\r\n').join('')], {type: 'text/csv'})), download: `${name}.csv`});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  // The one row that Tab stops at.
  const stop = (body, row) => {
    body.querySelectorAll('tr[tabindex="0"]').forEach((other) => { other.tabIndex = -1; });
    if (row) row.tabIndex = 0;
    return row;
  };
  // Marks the row of an id, if it is drawn.
  const choose = (place, id) => {
    let found = null;
    for (const row of place.querySelectorAll('tr[data-id]')) if (row.classList.toggle('chosen', row.dataset.id === id)) found = row;
    if (found && !place.querySelector('tr:focus')) stop(found.parentElement, found);
  };

  const show = (place, spec, pick, both) => {
    const {columns, rows} = spec;
    const wide = (n) => columns[n][3] ? ' wide' : '';
    const ids = new Map(rows.map((row, n) => [row, spec.ids ? spec.ids[n] : row[0]]));
    let by = null, down = false, count = STEP, found = rows.slice(), ticked = [];
    const compare = element('button', {type: 'button', disabled: true});
    const retick = () => {
      compare.textContent = ticked.length === 2 ? 'Compare the two' : 'Tick two to compare';
      compare.disabled = ticked.length !== 2;
      body.querySelectorAll('input').forEach((box) => { box.checked = ticked.includes(box.value); });
    };
    const tick = (id) => {
      const box = element('input', {type: 'checkbox', value: id, checked: ticked.includes(id), ariaLabel: `compare ${id}`, tabIndex: -1});
      box.addEventListener('change', () => { ticked = box.checked ? [...ticked, id].slice(-2) : ticked.filter((other) => other !== id); retick(); });
      const cell = element('td', {className: 't'}, box);
      for (const kind of ['click', 'keydown']) cell.addEventListener(kind, (event) => event.stopPropagation());
      return cell;
    };
    compare.addEventListener('click', () => both(...ticked));
    const filters = columns.map((column, n) => column[2] ? n : -1).filter((n) => n >= 0).map((n) => {
      const values = [...new Set(rows.map((row) => row[n]))].sort();
      const select = element('select', {ariaLabel: columns[n][0]}, element('option', {value: '', textContent: `${columns[n][0]}: all`}), ...values.map((v) => element('option', {value: v, textContent: v})));
      return [n, select, values.length];
    }).filter(([, , many]) => many > 1);
    const text = element('input', {type: 'search', placeholder: spec.hint || 'filter, e.g. t12 or 2025-03', ariaLabel: 'Filter', maxLength: 40});
    const counted = element('span', {className: 'count', ariaLive: 'polite'}), more = element('button', {type: 'button', textContent: 'Show more'});
    const body = element('tbody'), heads = columns.map(([name], n) => {
      const press = element('button', {type: 'button', textContent: name});
      const head = element('th', {className: (columns[n][1] === 'text' || columns[n][1] === 'ms' ? 't' : '') + wide(n), scope: 'col'}, press);
      press.addEventListener('click', () => { down = by === n ? !down : columns[n][1] !== 'text'; by = n; sort(); });
      return head;
    });
    const line = (row) => {
      const cells = row.map((value, n) => {
        const kind = columns[n][1], signed = kind === 'money' || kind === 'r' || kind === 'percent';
        const reads = signed && Math.abs(value) >= (kind === 'percent' ? 0.00005 : 0.005); // what reads as zero has no colour
        const tone = reads && value > 0 ? 'pos' : reads && value < 0 ? 'neg' : kind === 'text' ? 't' : kind === 'ms' ? 't when' : '';
        return element('td', {className: tone + wide(n) + (n ? '' : ' name'), textContent: shown[kind](value, spec.year)});
      });
      const made = element('tr', {className: (pick ? 'link' : '') + (ids.get(row) === spec.chosen ? ' chosen' : '')}, ...(both ? [tick(ids.get(row))] : []), ...cells);
      if (pick) {
        made.tabIndex = -1; made.dataset.id = ids.get(row);
        made.addEventListener('click', () => pick(ids.get(row)));
      }
      return made;
    };
    const along = (event) => {
      const at = event.target.closest('tr'), lines = [...body.children], n = lines.indexOf(at);
      const to = {ArrowDown: n + 1, ArrowUp: n - 1, Home: 0, End: lines.length - 1}[event.key];
      if (event.key === 'Enter') pick(at.dataset.id);
      else if (event.key === ' ' && both) at.querySelector('input').click();
      else if (to === undefined) return;
      else if (lines[to]) stop(body, lines[to]).focus();
      event.preventDefault();
    };
    if (pick) body.addEventListener('keydown', along);
    const draw = () => {
      body.replaceChildren(...found.slice(0, count).map(line));
      if (rows.length && !found.length) body.replaceChildren(element('tr', {}, element('td', {className: 't', colSpan: heads.length + (both ? 1 : 0), textContent: 'No row has that: change the filter.'})));
      else if (pick) stop(body, body.querySelector('tr.chosen') || body.firstElementChild);
      const all = rows.length.toLocaleString('en-US'), few = found.length.toLocaleString('en-US');
      counted.textContent = found.length === rows.length ? `${all} in all` : `${few} of ${all}`;
      more.hidden = found.length <= count;
      more.textContent = `Show more (${(found.length - Math.min(count, found.length)).toLocaleString('en-US')} left)`;
      heads.forEach((head, n) => { if (n === by) head.setAttribute('aria-sort', down ? 'descending' : 'ascending'); else head.removeAttribute('aria-sort'); });
    };
    const sort = () => {
      if (by !== null) { const way = down ? -1 : 1; found.sort((one, other) => { const a = first(one[by]), b = first(other[by]); return a === null || b === null ? rise(a, b) : way * rise(a, b); }); }
      draw();
    };
    const words = rows.map((row) => row.map((v, n) => columns[n][1] === 'ms' && v !== null ? `${new Date(v).toISOString()} ${short(v)}` : columns[n][1] === 'text' ? v : '').join(' ').toLowerCase());
    const filter = () => {
      const wanted = text.value.trim().toLowerCase();
      const kept = rows.filter((row, k) => filters.every(([n, select]) => !select.value || String(row[n]) === select.value) && words[k].includes(wanted));
      found = kept; count = STEP; sort();
    };
    const saved = spec.file ? [element('button', {type: 'button', textContent: 'CSV', title: 'Save the rows that are shown by the filters'})] : [];
    saved.forEach((press) => press.addEventListener('click', () => save(columns, found, spec.file)));
    filters.forEach(([, select]) => select.addEventListener('change', filter));
    text.addEventListener('input', filter);
    more.addEventListener('click', () => { count += 5 * STEP; draw(); });
    const scroll = element('div', {className: 'rows', tabIndex: pick ? -1 : 0}, element('table', {}, element('thead', {}, element('tr', {}, ...(both ? [element('th', {scope: 'col', ariaLabel: 'compare'})] : []), ...heads)), body));
    place.replaceChildren(element('div', {className: 'picks'}, ...filters.map(([, select]) => select), text, counted, ...(both ? [compare] : []), ...saved), scroll, element('div', {className: 'picks'}, more));
    filter();
    if (both) retick();
    addEventListener('beforeprint', () => { count = rows.length; draw(); });
  };
  return {show, choose};
})();
