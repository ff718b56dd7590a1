// Bars and lines as app/views/candle_bars.py packed them, and candles of a longer step. Used by draw.js; no drawing here.
const DAY = 86400000, LADDER = [1, 5, 15, 30, 60, 120, 240, 360, 720, 1440].map((minutes) => minutes * 60000);

// What was deflated, as bytes. Without a Blob, whose bytes come from another process: nothing else of the page gets in between.
async function inflated(raw) {
  const { readable, writable } = new DecompressionStream('deflate'), writer = writable.getWriter(), reader = readable.getReader(), parts = [];
  const written = writer.write(raw).then(() => writer.close());
  for (let part = await reader.read(); !part.done; part = await reader.read()) parts.push(part.value);
  await written;
  const flat = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => { flat.set(part, at); return at + part.length; }, 0);
  return flat;
}

// Columns of `count` 4-byte numbers: their first bytes, then their second bytes, ..., deflated, in base64.
async function columnsOf(text, kinds, count) {
  const letters = atob(text), raw = new Uint8Array(letters.length);
  for (let i = 0; i < raw.length; i++) raw[i] = letters.charCodeAt(i);
  const flat = await inflated(raw);
  return kinds.map((Kind, k) => {
    const [a, b, c, d] = [0, 1, 2, 3].map((plane) => flat.subarray((4 * k + plane) * count, (4 * k + plane + 1) * count));
    const numbers = new Int32Array(count);
    for (let i = 0; i < count; i++) numbers[i] = a[i] | (b[i] << 8) | (c[i] << 16) | (d[i] << 24);
    return Kind === Int32Array ? numbers : new Kind(numbers.buffer);
  });
}

// {count, step, unit, ms, open, high, low, close, volume}; prices as numbers, `ms` the open of each bar.
async function barsOf(packed) {
  const { count, unit, first_ms, step_ms: step } = packed;
  const [at, close, gap, above, below, volume] = await columnsOf(packed.text, [...Array(5).fill(Int32Array), Float32Array], count);
  const bars = { count, step, unit, volume };
  for (const name of ['ms', 'open', 'high', 'low', 'close']) bars[name] = new Float64Array(count);
  for (let i = 0, place = 0, last = 0; i < count; i++) {
    place += at[i];
    const opened = last + gap[i];
    last += close[i];
    bars.ms[i] = first_ms + place * step;
    bars.open[i] = opened * unit;
    bars.close[i] = last * unit;
    bars.high[i] = (Math.max(opened, last) + above[i]) * unit;
    bars.low[i] = (Math.min(opened, last) - below[i]) * unit;
  }
  return bars;
}

// A line of prices, one a bar; NaN where it has no value.
async function lineOf(text, count, unit) {
  const [steps, present] = await columnsOf(text, [Int32Array, Int32Array], count);
  const values = new Float64Array(count);
  for (let i = 0, sum = 0; i < count; i++) {
    sum += steps[i];
    values[i] = present[i] ? sum * unit : NaN;
  }
  return values;
}

// The first place in ascending `list` whose value is at least `value`.
function placeOf(list, value, length = list.length) {
  let low = 0, high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
}

// The shortest step at which `span` has at most `most` candles; candles of a day up to 380 of them, before longer ones.
function stepFor(span, own, most) {
  const steps = LADDER.filter((step) => step >= own && step % own === 0);
  for (const step of steps) if (span / step <= (step === DAY ? Math.max(most, 380) : most)) return step;
  let step = steps.length ? steps[steps.length - 1] : own;
  while (span / step > most) step *= 2;
  return step;
}

// Candles of `step`: first open, highest high, lowest low, last close, the sum of the volume. `last`: place of the last bar of each.
function joined(bars, step) {
  if (step === bars.step) return Object.assign({}, bars, { last: Int32Array.from({ length: bars.count }, (_, i) => i) });
  const made = { step, unit: bars.unit, last: new Int32Array(bars.count) }, names = ['ms', 'open', 'high', 'low', 'close', 'volume'];
  for (const name of names) made[name] = new Float64Array(bars.count);
  let n = -1, now = NaN;
  for (let i = 0; i < bars.count; i++) {
    const opened = Math.floor(bars.ms[i] / step) * step;
    if (opened !== now) {
      now = opened;
      n++;
      made.ms[n] = opened; made.open[n] = bars.open[i]; made.high[n] = bars.high[i]; made.low[n] = bars.low[i];
    }
    if (bars.high[i] > made.high[n]) made.high[n] = bars.high[i];
    if (bars.low[i] < made.low[n]) made.low[n] = bars.low[i];
    made.close[n] = bars.close[i];
    made.volume[n] += bars.volume[i];
    made.last[n] = i;
  }
  made.count = n + 1;
  for (const name of [...names, 'last']) made[name] = made[name].subarray(0, made.count);
  return made;
}
