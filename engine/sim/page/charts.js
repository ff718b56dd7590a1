'use strict';
// Charts as SVG in the tokens of the sheet around them: no library, no network. Used by the report (report.html) and by the page's
// component (app/ui/drawn.py). chart(element, spec, pick) draws and returns what undoes it; every text is set as text, never as HTML.
const charts = (() => {
  const NS = 'http://www.w3.org/2000/svg', DAY = 86400000, MINUS = '\u2212', THIN = '\u202f';
  const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
  const make = (name, attributes, parent, text) => {
    const found = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
    if (text !== undefined) found.textContent = text;
    if (parent) parent.append(found);
    return found;
  };
  const formats = new Map(); // making one takes longer than a hundred uses of it
  const format = (digits) => {
    if (!formats.has(digits)) formats.set(digits, new Intl.NumberFormat('en-US', {minimumFractionDigits: digits, maximumFractionDigits: digits}));
    return formats.get(digits);
  };
  const number = (value, digits = 2, sign = false) => {
    if (value === null || value === undefined || !isFinite(value)) return '–';
    const text = format(digits).format(Math.abs(value));
    return (/[1-9]/.test(text) ? (value < 0 ? MINUS : sign ? '+' : '') : '') + text;
  };
  const forms = {
    share: (v, digits = 2) => number(v * 100, digits) + THIN + '%',
    percent: (v, digits = 2) => number(v * 100, digits, true) + THIN + '%',
    money: (v, digits = 2) => number(v, digits, true),
    equity: (v, digits = 0) => number(v, digits),
    r: (v, digits = 2) => number(v, digits, true) + THIN + 'R',
    count: (v) => number(v, 0),
    price: (v, digits = 2) => number(v, digits),
    base: (v, digits = 4) => number(v, digits, true),
  };
  const two = (n) => String(n).padStart(2, '0');
  const day = (ms) => { const d = new Date(ms); return `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]} ${d.getUTCFullYear()}`; };
  const clock = (ms, seconds) => { const d = new Date(ms); return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}${seconds ? `:${two(d.getUTCSeconds())}` : ''}`; };
  const short = (ms, year) => { const d = new Date(ms), other = d.getUTCFullYear(); return `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]}${other === year ? '' : ` ${other}`} ${clock(ms)}`; };
  const moment = (ms) => { const d = new Date(ms); return `${day(ms)} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}Z`; };

  const ticks = (low, high, count) => {
    const raw = (high - low) / Math.max(1, count) || 1, size = Math.pow(10, Math.floor(Math.log10(raw)));
    const step = size * [1, 2, 2.5, 5, 10].find((n) => n * size >= raw);
    const found = [];
    for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) found.push(n * step);
    return {at: found, step};
  };
  const digitsOf = (step) => Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9)));
  const times = (from, until, count) => {
    const days = (until - from) / DAY, found = [];
    if (days > 60) {
      const every = [1, 2, 3, 6, 12, 24, 60].find((n) => days / 30.4 / n <= count) || 120, d = new Date(from);
      let month = d.getUTCFullYear() * 12 + d.getUTCMonth() + 1;
      for (month = Math.ceil(month / every) * every; ; month += every) {
        const ms = Date.UTC(Math.floor(month / 12), month % 12, 1);
        if (ms > until) break;
        found.push([ms, MONTHS[month % 12] + (month % 12 === 0 || every >= 12 || !found.length ? ' ' + Math.floor(month / 12) : '')]);
      }
      return found;
    }
    if (days < 0.5) {
      const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200].find((n) => days * 86400 / n <= count) * 1000 || 7200000;
      for (let ms = Math.ceil(from / step) * step; ms <= until; ms += step) found.push([ms, clock(ms, step < 60000)]);
      return found;
    }
    const step = [0.125, 0.25, 0.5, 1, 2, 5, 10, 20].find((n) => days / n <= count) * DAY || 20 * DAY;
    for (let ms = Math.ceil(from / step) * step; ms <= until; ms += step) {
      const d = new Date(ms);
      found.push([ms, step < DAY ? `${d.getUTCDate()} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}` : `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]}`]);
    }
    return found;
  };

  const plane = (element, width, height, label) => {
    const svg = make('svg', {width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label || 'chart', class: 'chart'});
    element.replaceChildren(svg);
    return svg;
  };
  const tip = (element) => {
    const box = document.createElement('div');
    box.className = 'tip';
    box.hidden = true;
    element.append(box);
    return {
      show: (lines, x, width) => {
        box.replaceChildren(...lines.map((line) => Object.assign(document.createElement('div'), {textContent: line})));
        box.hidden = false;
        box.style.left = x > width / 2 ? '' : `${x + 14}px`;
        box.style.right = x > width / 2 ? `${width - x + 14}px` : '';
      },
      hide: () => { box.hidden = true; },
    };
  };
  const rows = (svg, at, y, left, right, text) => at.forEach((value) => {
    make('line', {x1: left, x2: right, y1: y(value), y2: y(value), class: 'grid'}, svg);
    make('text', {x: right + 8, y: y(value) + 4, class: 'label'}, svg, text(value));
  });

  const curve = (element, spec, width) => {
    const height = spec.height || 360, right = width - 62, bottom = height - 24, below = spec.fall ? Math.round(height * 0.24) : 0;
    const split = bottom - below - (below ? 16 : 0), svg = plane(element, width, height, spec.label), form = forms[spec.unit];
    const xs = spec.x || spec.lines[0].x, from = spec.from ?? xs[0], until = spec.until ?? xs[xs.length - 1];
    let low = Infinity, high = -Infinity;
    for (const line of spec.lines) for (const v of line.y) if (v !== null) { low = Math.min(low, v); high = Math.max(high, v); }
    if (!(high > low)) { high = (isFinite(high) ? high : 0) + 0.01; low = high - 0.02; }
    const x = (ms) => 4 + (ms - from) / (until - from || 1) * (right - 8);
    const room = (high - low) * 0.06, y = (v) => 8 + (high + room - v) / (high - low + 2 * room) * (split - 8);
    const scale = ticks(low, high, Math.max(2, Math.floor(split / 56)));
    const digits = spec.unit === 'percent' ? digitsOf(scale.step * 100) : digitsOf(scale.step);
    rows(svg, scale.at, y, 0, right, (v) => form(v, digits));
    const labels = times(from, until, Math.floor(right / 64));
    labels.forEach(([ms, text]) => x(ms) < right - 24 && make('text', {x: x(ms), y: height - 6, class: 'label', 'text-anchor': x(ms) < 24 ? 'start' : 'middle'}, svg, text));
    const path = (line, y) => {
      const at = line.x || xs;
      let text = '', pen = false;
      line.y.forEach((v, n) => { if (v === null) { pen = false; } else { text += `${pen ? 'L' : 'M'}${x(at[n]).toFixed(1)} ${y(v).toFixed(1)}`; pen = true; } });
      return text;
    };
    if (spec.fall) {
      const deep = Math.min(-0.001, ...spec.fall.filter((v) => v !== null)), fall = (v) => bottom - below + v / deep * (below - 4);
      rows(svg, [0, ...ticks(deep, 0, 2).at.filter((v) => v < deep * 0.25)], fall, 0, right, (v) => forms.percent(v, digitsOf(ticks(deep, 0, 2).step * 100)));
      const line = path({y: spec.fall}, fall);
      make('path', {d: `${line}L${x(xs[xs.length - 1]).toFixed(1)} ${fall(0)}L${x(xs[0]).toFixed(1)} ${fall(0)}Z`, class: 'fall'}, svg);
      make('path', {d: line, class: 'line down thin'}, svg);
    }
    spec.lines.slice().reverse().forEach((line) => make('path', {d: path(line, y), class: `line ${line.tone} ${line.dash || ''}`}, svg));
    (spec.marks || []).forEach((mark, n) => {
      make('line', {x1: x(mark.x), x2: x(mark.x), y1: 4, y2: bottom, class: 'line warn dashed thin'}, svg);
      make('text', {x: x(mark.x) - 6, y: 14 + 14 * (n % 3), class: 'label warn', 'text-anchor': 'end'}, svg, mark.text);
    });
    for (const dot of spec.dots || []) if (dot.x >= from && dot.x <= until && dot.y >= low && dot.y <= high) make('circle', {cx: x(dot.x).toFixed(1), cy: y(dot.y).toFixed(1), r: 3, class: `dot ${dot.tone}`}, svg);
    const cross = make('line', {y1: 4, y2: bottom, class: 'cross', visibility: 'hidden'}, svg), box = tip(element);
    const near = (values, ms) => {
      let a = 0, b = values.length - 1;
      while (b - a > 1) { const c = (a + b) >> 1; if (values[c] <= ms) a = c; else b = c; }
      return values[b] - ms < ms - values[a] ? b : a;
    };
    svg.addEventListener('pointermove', (event) => {
      const left = svg.getBoundingClientRect().left, ms = from + (event.clientX - left - 4) / (right - 8) * (until - from), n = near(xs, ms);
      cross.setAttribute('x1', x(xs[n])); cross.setAttribute('x2', x(xs[n])); cross.setAttribute('visibility', 'visible');
      const lines = [spec.hours === false ? day(xs[n]) : until - from < DAY / 2 ? `${day(xs[n])} ${clock(xs[n], true)}Z` : moment(xs[n])];
      for (const line of spec.lines) { const k = line.x ? near(line.x, xs[n]) : n; if (line.y[k] !== null) lines.push(`${line.name} ${form(line.y[k])}`); }
      if (spec.fall) lines.push(`drawdown ${forms.share(-spec.fall[n])}`);
      box.show(lines, x(xs[n]), width);
    });
    svg.addEventListener('pointerleave', () => { cross.setAttribute('visibility', 'hidden'); box.hide(); });
  };

  const bars = (element, spec, width) => {
    const height = spec.height || 220, right = width - 48, bottom = height - 24, items = spec.items, form = forms[spec.unit];
    const svg = plane(element, width, height, spec.label), box = tip(element), step = right / items.length;
    const low = Math.min(0, ...items.map((i) => i.value)), high = Math.max(0, ...items.map((i) => i.value), low === 0 ? 1e-9 : 0);
    const over = (spec.marks || []).length ? 18 : 10; // a mark's word stands above the bars
    const y = (v) => over + (high - v) / (high - low || 1) * (bottom - 6 - over), scale = ticks(low, high, 4);
    rows(svg, scale.at, y, 0, right, (v) => form(v, digitsOf(scale.step)));
    const every = Math.ceil(items.length / Math.max(1, Math.floor(right / 44)));
    const wide = Math.max(1, spec.edges ? step - 2 : Math.min(step - 2, 64)); // the one bar of a young desk is no wall
    items.forEach((item, n) => {
      const top = Math.min(y(item.value), y(0)), tall = Math.abs(y(item.value) - y(0));
      const bar = make('rect', {x: n * step + (step - wide) / 2, width: wide, y: top, height: item.value ? Math.max(1, tall) : 0, class: `bar ${item.tone}`}, svg);
      const hit = make('rect', {x: n * step, width: step, y: 0, height: bottom, class: 'hit'}, svg);
      hit.addEventListener('pointerenter', () => { bar.classList.add('on'); box.show([item.text], n * step, width); });
      hit.addEventListener('pointerleave', () => { bar.classList.remove('on'); box.hide(); });
      if (!spec.edges && n % every === 0) make('text', {x: n * step + step / 2, y: height - 6, class: 'label', 'text-anchor': 'middle'}, svg, item.name);
    });
    if (spec.edges) {
      const [first, last] = spec.edges, x = (v) => (v - first) / (last - first) * right;
      ticks(first, last, Math.floor(right / 60)).at.forEach((v) => make('text', {x: x(v), y: height - 6, class: 'label', 'text-anchor': x(v) < 14 ? 'start' : 'middle'}, svg, forms.r(v, digitsOf(ticks(first, last, Math.floor(right / 60)).step))));
      (spec.marks || []).forEach((mark) => {
        make('line', {x1: x(mark.at), x2: x(mark.at), y1: 4, y2: bottom, class: 'line text dashed thin'}, svg);
        make('text', {x: x(mark.at) + 4, y: 12, class: 'label strong'}, svg, mark.text);
      });
    }
  };

  const scatter = (element, spec, width, pick) => {
    const height = spec.height || 220, right = width - 34, bottom = height - 36, svg = plane(element, width, height, spec.label), box = tip(element);
    const least = Math.min(-1.2, ...spec.points.map((p) => p[0])), most = Math.max(1, ...spec.points.map((p) => p[1]));
    const x = (v) => 6 + (v - least) / -least * (right - 12), y = (v) => 24 + (most - v) / most * (bottom - 28);
    rows(svg, ticks(0, most, 3).at, y, 0, right, (v) => number(v, digitsOf(ticks(0, most, 3).step)));
    ticks(least, 0, Math.floor(right / 60)).at.forEach((v) => make('text', {x: x(v), y: bottom + 14, class: 'label', 'text-anchor': 'middle'}, svg, number(v, digitsOf(ticks(least, 0, Math.floor(right / 60)).step))));
    make('text', {x: right / 2, y: height - 6, class: 'label', 'text-anchor': 'middle'}, svg, 'went against it, R (MAE)');
    make('line', {x1: x(-1), x2: x(-1), y1: 18, y2: bottom, class: 'line warn dashed thin'}, svg);
    make('text', {x: x(-1), y: 12, class: 'label warn', 'text-anchor': 'middle'}, svg, 'first stop');
    make('text', {x: width - 4, y: 12, class: 'label', 'text-anchor': 'end'}, svg, 'went for it, R (MFE)');
    spec.points.forEach(([against, favour, net, name]) => {
      const dot = make('circle', {cx: x(against).toFixed(1), cy: y(favour).toFixed(1), r: 3, class: net > 0 ? 'dot up' : 'dot down hollow'}, svg);
      dot.addEventListener('pointerenter', () => box.show([`${name}: net ${forms.money(net)}`, `against ${forms.r(against)}, for ${forms.r(favour)}`], x(against), width));
      dot.addEventListener('pointerleave', box.hide);
      if (pick) { dot.classList.add('link'); dot.addEventListener('click', () => pick(name)); }
    });
  };

  const waterfall = (element, spec, width) => {
    const tall = 34, height = spec.steps.length * tall + 8, left = 78, right = width - 84, svg = plane(element, width, height, spec.label);
    let at = 0;
    const parts = spec.steps.map((step) => { const from = step.total ? 0 : at; at = step.total ? step.value : at + step.value; return {...step, from, to: at}; });
    const low = Math.min(0, ...parts.map((p) => Math.min(p.from, p.to))), high = Math.max(0, ...parts.map((p) => Math.max(p.from, p.to)));
    const x = (v) => left + (v - low) / (high - low || 1) * (right - left);
    make('line', {x1: x(0), x2: x(0), y1: 2, y2: height - 4, class: 'grid axis'}, svg);
    parts.forEach((part, n) => {
      const y = n * tall + 6, strong = part.total ? ' strong' : '';
      make('rect', {x: Math.min(x(part.from), x(part.to)), width: Math.max(1.5, Math.abs(x(part.to) - x(part.from))), y, height: tall - 14, class: `bar ${part.total ? (part.value < 0 ? 'down' : 'up') : part.value < 0 ? 'down soft' : 'up soft'}`}, svg);
      if (n < parts.length - 1) make('line', {x1: x(part.to), x2: x(part.to), y1: y + tall - 14, y2: y + tall, class: 'cross'}, svg);
      make('text', {x: left - 8, y: y + 14, class: `label${strong}`, 'text-anchor': 'end'}, svg, part.name);
      make('text', {x: width, y: y + 14, class: `label value${strong}`, 'text-anchor': 'end'}, svg, forms.money(part.value));
    });
  };

  const KINDS = {curve, bars, scatter, waterfall};
  const chart = (element, spec, pick) => {
    let drawn = 0;
    const draw = () => {
      const width = Math.floor(element.clientWidth);
      if (width > 40 && width !== drawn) { drawn = width; KINDS[spec.kind](element, spec, width, pick); }
    };
    draw();
    const watch = new ResizeObserver(draw);
    watch.observe(element);
    return () => watch.disconnect();
  };
  return {chart, forms, number, moment, day, short};
})();
