// Prices, money and times as the page writes them: a real minus, UTC, the year only where it is another one. Used by draw.js.
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (n) => String(n).padStart(2, '0');

// Digits after the point that a multiple of `tick` needs: 2 for 0.25.
function digitsOf(tick) {
  if (!(tick > 0)) return 2;
  for (let n = 0; n < 8; n++) if (Math.abs(tick * 10 ** n - Math.round(tick * 10 ** n)) < 1e-6 * tick * 10 ** n) return n;
  return 8;
}

const FORMATS = new Map(); // by digits: making one takes longer than a hundred uses of it
function numberText(value, digits, signed = false) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (!FORMATS.has(digits)) FORMATS.set(digits, new Intl.NumberFormat('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  const shown = FORMATS.get(digits).format(Math.abs(value));
  if (!/[1-9]/.test(shown)) return shown;
  return (value < 0 ? '\u2212' : signed ? '+' : '') + shown;
}

function shortText(value) {
  const size = Math.abs(value);
  for (const [unit, name] of [[1e9, 'B'], [1e6, 'M'], [1e3, 'k']]) if (size >= unit) return `${numberText(value / unit, size >= 10 * unit ? 0 : 1)}${name}`;
  return numberText(value, size >= 10 || size === 0 ? 0 : 2);
}

function dayText(ms, now) {
  const d = new Date(ms), year = d.getUTCFullYear() === new Date(now).getUTCFullYear() ? '' : ` ${d.getUTCFullYear()}`;
  return `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]}${year}`;
}

function timeText(ms, now) {
  const d = new Date(ms);
  return `${dayText(ms, now)} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}Z`;
}

function stepText(ms) {
  for (const [unit, name] of [[DAY, 'D'], [3600000, 'h'], [60000, 'm']]) if (ms % unit === 0) return `${ms / unit}${name}`;
  return `${ms} ms`;
}

// Round distances between prices on the axis: 1, 2, 2.5 or 5 of a power of ten, at most `most` of them.
function ticksOf(low, high, most) {
  const rough = (high - low) / Math.max(most, 1), power = 10 ** Math.floor(Math.log10(rough));
  const gap = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= rough) || rough, found = [];
  for (let n = Math.ceil(low / gap); n * gap <= high && found.length < 50; n++) found.push(n * gap);
  return { gap, found };
}

// Times on the axis: whole hours, days or months, far enough apart; the first of a day or month says which.
function datesOf(from, to, most, now) {
  const gaps = [0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 96, 168, 336].map((hours) => hours * 3600000);
  const gap = gaps.find((n) => (to - from) / n <= most), found = [];
  if (gap) {
    for (let ms = Math.ceil(from / gap) * gap; ms <= to; ms += gap) {
      const d = new Date(ms), midnight = ms % DAY === 0;
      found.push([ms, midnight ? dayText(ms, now) : `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`, midnight]);
    }
    return found;
  }
  const start = new Date(from), months = Math.max(1, Math.ceil((to - from) / (30.4 * DAY) / most));
  for (let n = 0; n < 2000; n++) {
    const ms = Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + n, 1), d = new Date(ms);
    if (ms > to) break;
    if (ms >= from && d.getUTCMonth() % months === 0) found.push([ms, d.getUTCMonth() ? MONTHS[d.getUTCMonth()] : String(d.getUTCFullYear()), !d.getUTCMonth()]);
  }
  return found;
}
