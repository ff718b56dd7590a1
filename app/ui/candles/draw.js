// Draws one view of a chart on a canvas: candles, volume, trips, levels, bands, breakers. Called by mount.js at each frame.
// Turns {bars, lines, data, view, chosen, cross} into pixels and returns what stands where, for clicks and tests.
const AXIS = 68, FOOT = 20, LANE = 22, PATHS_MAX = 40, GLYPHS_MAX = 250, LINES_STEP_MAX = 4 * 3600000;
const GLYPHS = { stop: 'cross', target: 'diamond', trail: 'ring', halt: 'square', liquidation: 'square', fade: 'dot', adopted: 'dot', open: 'none' };

function layoutOf(width, height) {
  const axis = width < 520 ? 58 : AXIS, volume = Math.round((height - FOOT - LANE) * 0.15);
  return { width, height, right: width - axis, axis, price: [8, height - FOOT - LANE - volume - 14], lane: height - FOOT - volume - LANE - 6, volume: [height - FOOT - volume, height - FOOT] };
}

function draw(g, chart, view, colours, size) {
  const box = layoutOf(size.width, size.height), { data } = chart;
  const most = Math.min(box.width < 520 ? 190 : 380, Math.floor(box.right / 2.9)); // narrower, a hollow candle looks like a filled one
  const span = Math.min(view.to, chart.last) - view.from;
  const step = stepFor(Math.max(span, chart.bars.step), chart.bars.step, most), candles = chart.joined(step);
  const x = (ms) => ((ms - view.from) / (view.to - view.from)) * box.right;
  const first = Math.max(placeOf(candles.ms, view.from - step, candles.count), 0), end = placeOf(candles.ms, Math.min(view.to, data.until_ms), candles.count);
  const trips = chart.tripsIn(view.from, Math.min(view.to, data.until_ms));
  const detail = trips.length <= PATHS_MAX ? 'paths' : trips.length <= GLYPHS_MAX ? 'glyphs' : 'days';
  const scale = scaleOf(chart, candles, first, end, box, detail === 'paths');
  const to = { g, box, x, y: scale.y, view, colours, step, chart, data, candles, first, end, trips, detail, glyphs: [] };
  g.clearRect(0, 0, box.width, box.height);
  grid(to, scale);
  g.save();
  g.beginPath(); g.rect(0, 0, box.right, box.height - FOOT); g.clip();
  chosenBand(to); lane(to); volumes(to);
  if (detail === 'paths') { if (step <= LINES_STEP_MAX) lines(to); levels(to); }
  others(to); sticks(to);
  if (detail === 'paths') paths(to);
  if (detail !== 'days') marks(to);
  breakers(to);
  g.restore();
  held(to); cross(to, scale);
  const lastDrawn = end > first ? Math.min(candles.ms[end - 1] + step, data.until_ms) : null;
  return { step, detail, candles: end - first, trips: trips.length, glyphs: to.glyphs, last_ms: lastDrawn, low: scale.low, high: scale.high, box };
}

function scaleOf(chart, candles, first, end, box, withLevels) {
  let low = Infinity, high = -Infinity;
  for (let i = first; i < end; i++) { if (candles.low[i] < low) low = candles.low[i]; if (candles.high[i] > high) high = candles.high[i]; }
  if (!(high >= low)) { low = 0; high = 1; }
  const reach = Math.max(high - low, high * 1e-6), open = chart.data.held;
  if (withLevels && open) for (const price of [open.stop, open.target]) if (price && price > low - 0.6 * reach && price < high + 0.6 * reach) { low = Math.min(low, price); high = Math.max(high, price); }
  const pad = Math.max((high - low) * 0.06, high * 1e-6), [top, bottom] = box.price;
  low -= pad; high += pad;
  return { low, high, y: (price) => bottom - ((price - low) / (high - low)) * (bottom - top), price: (y) => low + ((bottom - y) / (bottom - top)) * (high - low) };
}

function text(g, words, x, y, colour, align = 'left') {
  g.fillStyle = colour; g.textAlign = align; g.textBaseline = 'middle';
  g.fillText(words, x, y);
}

function stroke(g, colour, width, dash, points) {
  g.strokeStyle = colour; g.lineWidth = width; g.setLineDash(dash);
  g.beginPath();
  points.forEach(([px, py], n) => (n ? g.lineTo(px, py) : g.moveTo(px, py)));
  g.stroke(); g.setLineDash([]);
}

function grid({ g, box, x, y, view, colours, chart }, scale) {
  const digits = Math.min(digitsOf(chart.data.tick || chart.bars.unit), 8), ticks = ticksOf(scale.low, scale.high, Math.max(2, Math.floor((box.price[1] - box.price[0]) / 56)));
  g.font = chart.font;
  for (const price of ticks.found) {
    stroke(g, colours.grid, 1, [], [[0, Math.round(y(price)) + 0.5], [box.right, Math.round(y(price)) + 0.5]]);
    text(g, numberText(price, Math.min(digits, digitsOf(ticks.gap))), box.right + 8, y(price), colours.muted);
  }
  for (const [ms, words, strong] of datesOf(view.from, view.to, Math.max(2, Math.floor(box.right / 84)), chart.last - 1)) {
    const px = x(ms);
    if (px > 20 && px < box.right - 24) text(g, words, px, box.height - 8, strong ? colours.text : colours.muted, 'center');
  }
}

function volumes({ g, box, x, colours, step, candles, first, end }) {
  let most = 0;
  for (let i = first; i < end; i++) if (candles.volume[i] > most) most = candles.volume[i];
  if (!(most > 0)) return;
  const [top, bottom] = box.volume, width = Math.max(1, (x(step) - x(0)) * 0.7);
  g.globalAlpha = 0.55;
  for (let i = first; i < end; i++) {
    const tall = (candles.volume[i] / most) * (bottom - top);
    g.fillStyle = candles.close[i] >= candles.open[i] ? colours.up : colours.down;
    g.fillRect(x(candles.ms[i] + step / 2) - width / 2, bottom - tall, width, tall);
  }
  g.globalAlpha = 1;
}

function sticks({ g, x, y, colours, step, candles, first, end }) {
  const room = x(step) - x(0), thin = room < 3, width = Math.max(3, Math.floor(room * 0.35) * 2 + 1);
  for (const rose of [true, false]) {
    const colour = rose ? colours.up : colours.down;
    g.strokeStyle = colour; g.fillStyle = colour; g.lineWidth = 1;
    g.beginPath();
    for (let i = first; i < end; i++) {
      if (candles.close[i] >= candles.open[i] !== rose) continue;
      const middle = Math.round(x(candles.ms[i] + step / 2)) + 0.5, high = y(candles.high[i]), low = y(candles.low[i]);
      const top = y(Math.max(candles.open[i], candles.close[i])), bottom = y(Math.min(candles.open[i], candles.close[i]));
      if (thin) { g.moveTo(middle, high); g.lineTo(middle, Math.max(low, high + 1)); continue; }
      g.moveTo(middle, high); g.lineTo(middle, top); g.moveTo(middle, bottom); g.lineTo(middle, low);
      const left = middle - Math.floor(width / 2), tall = Math.max(1, bottom - top);
      if (rose) g.rect(left, Math.round(top) + 0.5, width - 1, Math.max(0.5, tall - 1)); else g.fillRect(left - 0.5, top, width, tall);
    }
    g.stroke();
  }
}

function lines({ g, x, y, colours, step, candles, first, end, chart }) {
  chart.lines.forEach((line, n) => {
    const points = [];
    for (let i = Math.max(first - 1, 0); i < end; i++) { const value = line.values[candles.last[i]]; if (Number.isFinite(value)) points.push([x(candles.ms[i] + step), y(value)]); }
    stroke(g, [colours.accent, colours.hold, colours.series2, colours.warn][n % 4], 1.2, [], points);
  });
}

function others({ g, x, y, colours, step, view, chart }) {
  chart.others.forEach((other) => {
    const candles = chart.joinedOf(other, step), from = placeOf(candles.ms, view.from - step, candles.count), end = placeOf(candles.ms, Math.min(view.to, chart.data.until_ms), candles.count), points = [];
    for (let i = from; i < end; i++) points.push([x(candles.ms[i] + step / 2), y(candles.close[i])]);
    stroke(g, colours.series2, 1.2, [], points);
  });
}

function levels({ g, x, y, colours, view, data }) {
  for (const level of data.levels) {
    if (level.end_ms < view.from || level.ms[0] > view.to) continue;
    const points = [];
    level.ms.forEach((ms, n) => {
      const until = Math.min(n + 1 < level.ms.length ? level.ms[n + 1] : level.end_ms, level.end_ms);
      points.push([x(ms), y(level.price[n])], [x(until), y(level.price[n])]);
    });
    if (level.slot === 'target') stroke(g, colours.up, 1, [2, 3], points); else stroke(g, colours.down, 1.2, [], points);
  }
}

const colourOf = (colours, net) => (net > 0 ? colours.up : net < 0 ? colours.down : colours.muted);

function paths({ g, x, y, colours, trips }) {
  for (const trip of trips) if (trip.out !== null) stroke(g, colourOf(colours, trip.net), 1, [5, 4], [[x(trip.entry), y(trip.price)], [x(trip.exit), y(trip.out)]]);
}

function marks(to) {
  const { g, x, y, colours, trips, detail, step } = to, size = detail === 'paths' ? 5 : 3, half = Math.min(step, to.chart.bars.step) / 2;
  for (const trip of trips) {
    const px = x(trip.entry + half), py = y(trip.price), up = trip.side === 'long';
    g.fillStyle = colours.text; g.strokeStyle = colours.surface; g.lineWidth = 1;
    g.beginPath(); g.moveTo(px, py + (up ? -size : size)); g.lineTo(px - size, py + (up ? size : -size)); g.lineTo(px + size, py + (up ? size : -size)); g.closePath(); g.fill(); g.stroke();
    to.glyphs.push({ x: px, y: py, trip: trip.id, kind: up ? 'long' : 'short' });
    if (trip.exit === null || trip.out === null) continue;
    const qx = x(trip.exit + half), qy = y(trip.out), kind = GLYPHS[trip.reason] || 'dot';
    shape(g, kind, qx, qy, size, colourOf(colours, trip.net), colours.surface);
    to.glyphs.push({ x: qx, y: qy, trip: trip.id, kind });
  }
}

function shape(g, kind, px, py, size, colour, around) {
  g.strokeStyle = colour; g.fillStyle = colour; g.lineWidth = size > 3 ? 2 : 1.4;
  g.beginPath();
  if (kind === 'cross') { g.moveTo(px - size, py - size); g.lineTo(px + size, py + size); g.moveTo(px + size, py - size); g.lineTo(px - size, py + size); g.stroke(); return; }
  if (kind === 'ring' || kind === 'dot') { g.arc(px, py, kind === 'ring' ? size : size * 0.7, 0, 7); if (kind === 'ring') g.stroke(); else g.fill(); return; }
  if (kind === 'square') { g.fillRect(px - size * 0.8, py - size * 0.8, 1.6 * size, 1.6 * size); return; }
  g.moveTo(px, py - 1.3 * size); g.lineTo(px + 1.3 * size, py); g.lineTo(px, py + 1.3 * size); g.lineTo(px - 1.3 * size, py); g.closePath(); g.fill();
  g.strokeStyle = around; g.lineWidth = 1; g.stroke();
}

function hatch(g, left, top, width, tall, colour) {
  g.save();
  g.beginPath(); g.rect(left, top, width, tall); g.clip();
  g.strokeStyle = colour; g.lineWidth = 1.2;
  g.beginPath();
  for (let px = Math.floor((left - tall) / 6) * 6; px < left + width; px += 6) { g.moveTo(px, top + tall); g.lineTo(px + tall, top); }
  g.stroke(); g.restore();
}

function lane(to) {
  const { g, box, x, view, colours, data, detail } = to;
  if (detail === 'days') { dayNets(to); return; }
  for (const band of data.bands) {
    if (band.until_ms < view.from || band.from_ms > view.to) continue;
    const left = Math.max(x(band.from_ms), 0), right = Math.min(x(Math.min(band.until_ms, data.until_ms)), box.right);
    hatch(g, left, box.lane, Math.max(right - left, 2), LANE - 6, colours.warn);
  }
}

function dayNets({ g, box, x, colours, trips, data }) {
  const days = new Map();
  for (const trip of trips) if (trip.exit !== null && trip.exit <= data.until_ms) { const day = Math.floor(trip.exit / DAY) * DAY; days.set(day, (days.get(day) || 0) + trip.net); }
  const most = Math.max(1e-9, ...[...days.values()].map(Math.abs));
  for (const [day, net] of days) {
    g.globalAlpha = 0.2 + 0.8 * Math.min(1, Math.abs(net) / most);
    g.fillStyle = colourOf(colours, net);
    g.fillRect(x(day), box.lane, Math.max(1, x(DAY) - x(0) - 0.5), LANE - 6);
  }
  g.globalAlpha = 1;
}

// Dashed lines for what stops a day or the desk; what only pauses entries has its band in the lane.
function breakers({ g, box, x, view, colours, data }) {
  let free = -1;
  for (const tripped of data.breakers) {
    if (tripped.ms < view.from || tripped.ms > view.to || (tripped.until_ms !== null && tripped.breaker !== 'daily loss')) continue;
    const px = x(tripped.ms), wide = g.measureText(tripped.breaker).width, left = px + 4 + wide > box.right ? px - 4 - wide : px + 4;
    stroke(g, colours.warn, 1, [4, 4], [[px, box.price[0]], [px, box.lane]]);
    if (left > free) { text(g, tripped.breaker, left, box.price[0] + 6, colours.warn); free = left + wide + 8; }
  }
}

function chosenBand({ g, box, x, colours, chart, data }) {
  const trip = chart.byId.get(chart.chosen);
  if (!trip) return;
  const left = x(trip.entry), right = x(trip.exit === null ? data.until_ms : trip.exit + chart.bars.step);
  g.globalAlpha = 0.14; g.fillStyle = colours.accent;
  g.fillRect(left, 0, Math.max(right - left, 3), box.lane);
  g.globalAlpha = 1;
}

// Stop, target and mark of the open position as flags in the room at the right, apart from each other.
function held({ g, box, x, y, view, colours, data, chart }) {
  if (!data.held || view.to < data.until_ms) return;
  const digits = digitsOf(data.tick || chart.bars.unit), start = Math.max(x(data.until_ms), 0), flags = [];
  for (const [name, price, colour, dash] of [['target', data.held.target, colours.up, [2, 3]], ['mark', data.held.mark, colours.accent, [4, 3]], ['stop', data.held.stop, colours.down, []]]) {
    if (price && y(price) > 0 && y(price) < box.price[1] + 12) flags.push({ name, price, colour, dash, y: y(price) });
  }
  flags.sort((a, b) => a.y - b.y);
  let last = -20;
  for (const flag of flags) {
    stroke(g, flag.colour, 1, flag.dash, [[start, flag.y], [box.right, flag.y]]);
    last = Math.max(flag.y - 8, last + 14);
    const words = `${flag.name} ${numberText(flag.price, digits)}`, wide = g.measureText(words).width;
    g.fillStyle = colours.surface; g.fillRect(box.right - 8 - wide, last - 7, wide + 8, 14); // candles may reach below it
    text(g, words, box.right - 4, last, flag.colour, 'right');
  }
}

function cross({ g, box, colours, chart, data }, scale) {
  const at = chart.cross;
  if (!at || at.x > box.right) return;
  stroke(g, colours.edge, 1, [2, 2], [[at.x, 0], [at.x, box.height - FOOT]]);
  if (at.y < box.price[1]) {
    stroke(g, colours.edge, 1, [2, 2], [[0, at.y], [box.right, at.y]]);
    g.fillStyle = colours.raised; g.fillRect(box.right, at.y - 9, box.axis, 18);
    text(g, numberText(scale.price(at.y), digitsOf(data.tick || chart.bars.unit)), box.right + 8, at.y, colours.text);
  }
}
