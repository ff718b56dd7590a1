// The chart as a component: unpacks its data once, draws at most once a frame, moves the view, and says which trip was picked.
const RANGES = [['1D', 1], ['3D', 3], ['1W', 7], ['1M', 30], ['3M', 91], ['1Y', 365]];
const TOKENS = ['surface', 'raised', 'line', 'grid', 'text', 'muted', 'edge', 'accent', 'up', 'down', 'warn', 'hold', 'series2'];
const SIGNS = { cross: '✕', diamond: '◆', ring: '○', square: '■', dot: '•' }; // of draw.js, in words
const CHOSEN = 'nightdesk-candles-chosen';

async function chartOf(data) {
  const { count, unit } = data.bars; // all at once: each wait lets the page draw something else first
  const waits = [barsOf(data.bars), Promise.all(data.others.map((other) => barsOf(other.bars))), ...data.lines.map((line) => lineOf(line.text, count, unit))];
  const [bars, others, ...lines] = await Promise.all(waits), kept = new Map(), known = data.trips.trip || [];
  const chart = { data, bars, kept, others, cross: null, chosen: '', last: data.until_ms, byId: new Map() };
  chart.joinedOf = (of, step) => {
    const fits = step >= of.step && step % of.step === 0 ? step : of.step;
    if (!kept.has(of)) kept.set(of, new Map());
    if (!kept.get(of).has(fits)) kept.get(of).set(fits, joined(of, fits));
    return kept.get(of).get(fits);
  };
  chart.joined = (step) => chart.joinedOf(bars, step);
  chart.trips = known.map((id, n) => {
    const of = (name) => data.trips[name][n];
    return { id, side: of('side'), entry: of('entry_ms'), exit: of('exit_ms'), price: of('entry_price'), out: of('exit_price'), reason: of('reason'), net: of('net'), r: of('r') };
  });
  chart.trips.forEach((trip) => chart.byId.set(trip.id, trip));
  const entries = chart.trips.map((trip) => trip.entry);
  chart.tripsIn = (from, to) => {
    const first = Math.max(placeOf(entries, from) - 5, 0), end = placeOf(entries, to + 1);
    return chart.trips.slice(first, end).filter((trip) => (trip.exit === null ? data.until_ms : trip.exit + bars.step) >= from);
  };
  chart.lines = lines.map((values, n) => ({ label: data.lines[n].label, values }));
  for (const level of data.levels) for (let n = 1; n < level.ms.length; n++) level.ms[n] += level.ms[n - 1];
  return chart;
}

function element(name, className, words) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (words !== undefined) made.textContent = words;
  return made;
}

function rangeView(chart, days, width) {
  const span = days ? days * DAY : chart.last - chart.bars.ms[0], room = days && chart.data.held ? (width < 520 ? 1 / 3 : 1 / 7) : 0.02;
  return { from: chart.last - span, to: chart.last + (span * room) / (1 - room), range: days };
}

// Keeps a view within the bars, with some room at both ends, and no shorter than ten bars.
function kept(chart, from, to) {
  const whole = Math.max(chart.last - chart.bars.ms[0], 20 * chart.bars.step), least = 10 * chart.bars.step;
  const span = Math.min(Math.max(to - from, least), whole * 1.2), middle = (from + to) / 2;
  let start = middle - span / 2;
  start = Math.min(Math.max(start, chart.bars.ms[0] - 0.5 * span), chart.last - 0.1 * span);
  return { from: start, to: start + span, range: null };
}

function headOf(chart, view, shown) {
  const parts = [`candles of ${stepText(shown.step)}, ${shown.candles}`];
  if (chart.trips.length) parts.push(`${shown.trips} ${shown.trips === 1 ? 'trip' : 'trips'} in view`);
  if (shown.last_ms !== null) parts.push(`to ${timeText(shown.last_ms, chart.last - 1)}`); // the end of the last candle, not of the view
  return parts.join(' · ');
}

function valuesOf(chart, view, shown) {
  const at = chart.cross, candles = chart.joined(shown.step);
  const ms = at && at.x <= shown.box.right ? view.from + (at.x / shown.box.right) * (view.to - view.from) : Math.min(chart.last, view.to) - 1;
  const i = Math.min(placeOf(candles.ms, ms + 1, candles.count), placeOf(candles.ms, chart.data.until_ms, candles.count)) - 1;
  if (i < 0) return '';
  const digits = digitsOf(chart.data.tick || chart.bars.unit), parts = [timeText(candles.ms[i], chart.last - 1)];
  for (const [name, of] of [['O', 'open'], ['H', 'high'], ['L', 'low'], ['C', 'close']]) parts.push(`${name} ${numberText(candles[of][i], digits)}`);
  parts.push(`vol ${shortText(candles.volume[i])}`);
  for (const line of chart.lines) parts.push(`${line.label} ${numberText(line.values[candles.last[i]], digits)}`);
  chart.others.forEach((other, n) => { // the close of the candle that opened at the same time, and how far it is away
    const found = chart.joinedOf(other, shown.step), k = placeOf(found.ms, candles.ms[i], found.count);
    if (k >= found.count || found.ms[k] !== candles.ms[i]) return;
    parts.push(`${chart.data.others[n].name} ${numberText(found.close[k], digits)} (${numberText((found.close[k] / candles.close[i] - 1) * 1e4, 1, true)} bps)`);
  });
  const bands = chart.data.bands.filter((b) => b.from_ms < candles.ms[i] + shown.step && b.until_ms > candles.ms[i]);
  for (const band of bands.slice(0, 2)) parts.push(`${band.rule}${band.count ? ` (${band.count} refused)` : ''}`);
  return parts.join('  ');
}

function legendOf(chart, shown) {
  const kinds = new Set(chart.trips.map((trip) => trip.reason)), made = [];
  if (chart.trips.length && shown.detail !== 'days') {
    made.push(['', '▲▼ entry long, short']);
    const exits = ['stop', 'target', 'trail', ...kinds].filter((kind, n, all) => kinds.has(kind) && kind !== 'open' && all.indexOf(kind) === n).map((kind) => `${SIGNS[GLYPHS[kind]] || SIGNS.dot} ${kind}`);
    if (exits.length) made.push(['', `exit: ${exits.join(' ')}`]);
  }
  if (shown.detail === 'paths' && chart.data.levels.length) made.push(['solid down', 'stop, trail'], ['dotted up', 'target']);
  if (shown.detail === 'paths' && shown.step <= LINES_STEP_MAX) chart.lines.forEach((line, n) => made.push([`solid ${['accent', 'hold', 'series2', 'warn'][n % 4]}`, line.label]));
  chart.data.others.forEach((other) => made.push(['solid series2', other.name]));
  if (shown.detail === 'days') made.push(['block', 'net P&L of each day']); else if (chart.data.bands.length) made.push(['hatch', 'entries refused or paused']);
  if (chart.data.breakers.some((b) => b.until_ms === null || b.breaker === 'daily loss')) made.push(['dashed warn', 'breaker']);
  return made;
}

class CandleChart {
  constructor(root, send) {
    this.root = root; this.send = send; this.canvas = root.querySelector('canvas'); this.pointers = new Map(); this.waits = 0;
    this.frame = root.querySelector('.frame'); this.undo = [];
    const probe = root.querySelector('.probes');
    TOKENS.forEach((name) => { const one = element('i'); one.style.color = `var(--${name})`; one.dataset.token = name; probe.append(one); });
    this.on(probe, 'transitionend', () => this.later());
    const watch = new ResizeObserver(() => this.later());
    watch.observe(this.frame); this.undo.push(() => watch.disconnect());
    this.listen();
  }

  on(of, name, call, how) { of.addEventListener(name, call, how); this.undo.push(() => of.removeEventListener(name, call, how)); }

  async show(data, mark) {
    const chart = await chartOf(data);
    if (this.gone || mark !== this.root.mark) return;
    this.chart = chart;
    this.chart.font = `12px ${getComputedStyle(this.frame).fontFamily}`;
    const days = (chart.last - chart.bars.ms[0]) / DAY, small = this.frame.clientWidth < 520;
    this.ranges(days);
    const seen = this.root.seen; // newer bars of the same chart: what was looked at stays
    this.view = seen && seen.range === null ? kept(chart, seen.from, seen.to) : rangeView(chart, seen ? seen.range : Math.min(small ? 3 : 7, days), this.frame.clientWidth);
    this.choose((window.nightdeskChosen || {})[this.root.name] || '', !seen);
    this.now(); // the next frame shows it; a chart without a place yet is drawn when it has one
  }

  ranges(days) {
    const pills = this.root.querySelector('.ranges');
    pills.replaceChildren();
    const wanted = RANGES.filter(([, n]) => n < days * 1.2), all = days > 380 || !wanted.length ? [['All', 0]] : [];
    for (const [words, n] of [...wanted, ...all]) {
      const pill = element('button', '', words);
      pill.type = 'button'; pill.dataset.days = n;
      pill.onclick = () => { this.view = rangeView(this.chart, n, this.frame.clientWidth); this.later(); };
      pills.append(pill);
    }
  }

  colours() {
    const found = {};
    for (const one of this.root.querySelectorAll('.probes i')) found[one.dataset.token] = getComputedStyle(one).color;
    return found;
  }

  later() {
    if (this.waits || this.gone) return;
    this.waits = requestAnimationFrame(() => { this.waits = 0; this.now(); });
  }

  now() {
    if (!this.chart || !this.view) return;
    const ratio = window.devicePixelRatio || 1, width = this.frame.clientWidth, height = this.frame.clientHeight;
    if (!(width > 60 && height > 120)) return;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) { this.canvas.width = Math.round(width * ratio); this.canvas.height = Math.round(height * ratio); }
    const g = this.canvas.getContext('2d');
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.root.seen = this.view;
    this.shown = draw(g, this.chart, this.view, this.colours(), { width, height });
    this.words();
  }

  words() {
    const head = headOf(this.chart, this.view, this.shown), values = valuesOf(this.chart, this.view, this.shown);
    this.root.querySelector('.about').textContent = head;
    this.root.querySelector('.values').textContent = values;
    const legend = legendOf(this.chart, this.shown), place = this.root.querySelector('.legend'), key = JSON.stringify(legend);
    if (place.key !== key) {
      place.key = key;
      place.replaceChildren(...legend.map(([look, words]) => { const one = element('span'); if (look) one.append(element('i', look)); one.append(words); return one; }));
    }
    for (const pill of this.root.querySelectorAll('.ranges button')) pill.setAttribute('aria-pressed', String(this.view.range !== null && Number(pill.dataset.days) === this.view.range));
    const name = this.root.querySelector('b').textContent;
    this.canvas.setAttribute('aria-label', `${name}: ${head}. ${this.chart.chosen ? `Chosen: ${this.chart.chosen}.` : ''}`);
    this.canvas.dataset.state = JSON.stringify({ from: this.view.from, to: this.view.to, step: this.shown.step, candles: this.shown.candles, trips: this.shown.trips, detail: this.shown.detail, last_ms: this.shown.last_ms, chosen: this.chart.chosen });
  }

  // Marks a trip, and brings it into view with `move`; what the page already knows is not sent back.
  choose(id, move = true) {
    if (!this.chart || this.chart.chosen === id) return;
    this.chart.chosen = id;
    const trip = this.chart.byId.get(id);
    if (trip && move) {
      const end = trip.exit === null ? this.chart.last : trip.exit + this.chart.bars.step, span = this.view.to - this.view.from, long = end - trip.entry;
      const inside = trip.entry >= this.view.from && end <= this.view.to;
      if (!inside) { const wide = Math.max(span, long * 1.6), middle = (trip.entry + end) / 2; this.view = kept(this.chart, middle - wide / 2, middle + wide / 2); }
    }
    this.later();
  }

  pick(id) {
    this.choose(id);
    clearTimeout(this.sending);
    this.sending = setTimeout(() => { if (!this.gone) this.send(id); }, 120);
  }

  step(by) {
    const { trips, chosen } = this.chart;
    if (!trips.length) return;
    const at = trips.findIndex((trip) => trip.id === chosen);
    const next = at < 0 ? trips.length - 1 : Math.min(Math.max(at + by, 0), trips.length - 1);
    if (trips[next].id !== chosen) this.pick(trips[next].id);
  }

  place(event) { const box = this.canvas.getBoundingClientRect(); return { x: event.clientX - box.left, y: event.clientY - box.top }; }

  zoom(by, x) {
    const right = this.shown ? this.shown.box.right : this.frame.clientWidth, { from, to } = this.view, at = from + (Math.min(Math.max(x, 0), right) / right) * (to - from);
    this.view = kept(this.chart, at - (at - from) * by, at + (to - at) * by);
    this.later();
  }

  pan(part) {
    const by = (this.view.to - this.view.from) * part;
    this.view = kept(this.chart, this.view.from + by, this.view.to + by);
    this.later();
  }

  listen() {
    const c = this.canvas;
    // The wheel zooms once the chart was clicked or while Ctrl is down; else the page scrolls past it.
    this.on(c, 'wheel', (e) => { if (!this.chart || !(e.ctrlKey || c.getRootNode().activeElement === c)) return; e.preventDefault(); if (Math.abs(e.deltaX) > Math.abs(e.deltaY)) this.pan(e.deltaX / 1200); else this.zoom(Math.exp(Math.min(Math.max(e.deltaY, -240), 240) / 500), this.place(e).x); }, { passive: false });
    this.on(c, 'pointerdown', (e) => { if (!this.chart) return; c.setPointerCapture(e.pointerId); this.pointers.set(e.pointerId, this.place(e)); this.moved = 0; });
    this.on(c, 'pointermove', (e) => this.move(e));
    for (const name of ['pointerup', 'pointercancel']) this.on(c, name, (e) => { const was = this.pointers.size; this.pointers.delete(e.pointerId); if (name === 'pointerup' && was === 1 && this.moved < 5) this.click(e); });
    this.on(c, 'pointerleave', () => { if (this.chart) { this.chart.cross = null; this.later(); } });
    this.on(c, 'dblclick', () => { if (this.chart) { const days = (this.chart.last - this.chart.bars.ms[0]) / DAY; this.view = rangeView(this.chart, Math.min(7, days), this.frame.clientWidth); this.later(); } });
    this.on(document, 'keydown', (e) => this.key(e));
    this.on(document, CHOSEN, (e) => { if (e.detail.name === this.root.name) this.choose(e.detail.chosen, e.detail.wanted || !this.root.seen); });
  }

  move(e) {
    if (!this.chart) return;
    const now = this.place(e), before = this.pointers.get(e.pointerId);
    if (!before) { this.chart.cross = now; this.canvas.style.cursor = this.nearest(now, 10) ? 'pointer' : 'crosshair'; this.later(); return; }
    const others = [...this.pointers].filter(([id]) => id !== e.pointerId);
    this.pointers.set(e.pointerId, now);
    this.moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    if (others.length) {
      const other = others[0][1], was = Math.abs(before.x - other.x), is = Math.abs(now.x - other.x);
      if (was > 8 && is > 8) this.zoom(was / is, (now.x + other.x) / 2);
      return;
    }
    this.chart.cross = e.pointerType === 'mouse' ? null : now;
    this.pan(-(now.x - before.x) / (this.shown ? this.shown.box.right : 1));
  }

  nearest(at, reach) {
    let found = null, least = reach * reach;
    for (const glyph of this.shown ? this.shown.glyphs : []) {
      const away = (glyph.x - at.x) ** 2 + (glyph.y - at.y) ** 2;
      if (away <= least) { least = away; found = glyph; }
    }
    return found;
  }

  click(e) {
    const found = this.nearest(this.place(e), e.pointerType === 'mouse' ? 10 : 18);
    if (found) this.pick(found.trip);
  }

  key(e) {
    if (!this.chart || e.ctrlKey || e.metaKey || e.altKey || !this.canvas.isConnected) return;
    const [at] = e.composedPath(), own = at === this.canvas;
    if (at instanceof HTMLElement && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName))) return;
    if (e.key === 'j') this.step(1); else if (e.key === 'k') this.step(-1);
    else if (own && e.key === 'ArrowLeft') this.pan(-0.1); else if (own && e.key === 'ArrowRight') this.pan(0.1);
    else if (own && (e.key === '+' || e.key === '=')) this.zoom(0.7, this.frame.clientWidth / 2);
    else if (own && e.key === '-') this.zoom(1 / 0.7, this.frame.clientWidth / 2);
    else return;
    e.preventDefault();
  }

  end() { this.gone = true; cancelAnimationFrame(this.waits); clearTimeout(this.sending); this.undo.forEach((one) => one()); }
}

// `bytes` of candles/__init__.py: a line of JSON about the chart, then a line for the chart and one for each other venue.
export default function ({ data: bytes, parentElement, setTriggerValue }) {
  const root = parentElement, end = bytes.indexOf(10), text = (from, to) => new TextDecoder().decode(bytes.subarray(from, to));
  const data = JSON.parse(text(0, end));
  root.name = data.name;
  if (root.mark !== data.mark) {
    root.mark = data.mark;
    if (root.made) root.made.end();
    root.querySelector('.probes').replaceChildren();
    root.querySelector('.frame').style.height = `${data.height}px`;
    root.querySelector('b').textContent = data.title;
    const [chart, ...others] = text(end + 1).split('\n').map((line) => JSON.parse(line));
    chart.others = others.map((other, n) => ({ name: data.others[n], bars: other.bars }));
    root.querySelector('.notes').replaceChildren(...chart.notes.map((words) => element('p', '', `▲ ${words}`)));
    root.made = new CandleChart(root, (id) => root.send(id));
    root.made.show(chart, data.mark).catch((error) => { root.querySelector('.about').textContent = `This browser cannot draw the chart (${error.message}).`; });
  }
  root.send = (id) => setTriggerValue('picked', id);
  return () => { if (!root.isConnected && root.made) root.made.end(); };
}
