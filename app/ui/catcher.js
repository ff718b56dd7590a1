/* Mounted once by catcher.py. Clicks on our own links (?tab=...) stay in this browser tab: the address goes to Python. The keyboard's
   place on such a link outlasts a refresh. When the page's server is gone, only this script can say so. */
const LOOK_MS = 4000, WAIT_MS = 3500, KEEP_MS = 150, SHADE_MS = 1000, AIM_MS = 3000;

// Inline, because an icon by name would be fetched from a CDN; here, because Streamlit loads numpy and Pillow to set one.
const MOON = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="M21 4a12 12 0 1 0 7 17A10 10 0 0 1 21 4z" fill="#5aa9e6"/></svg>';

export default function ({ setTriggerValue }) {
  document.querySelectorAll('link[rel~="icon"]').forEach((link) => { link.type = 'image/svg+xml'; link.href = `data:image/svg+xml,${encodeURIComponent(MOON)}`; });
  const click = (event) => {
    const link = event.target.closest && event.target.closest('a[href^="?tab="]');
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    setTriggerValue('went', link.getAttribute('href'));
  };
  document.addEventListener('click', click, true);
  const stops = [watch(), keep(), shade(), aim(), name(), enter()];
  return () => {
    document.removeEventListener('click', click, true);
    stops.forEach((stop) => stop());
  };
}

// A part that refreshes itself draws its links anew: who was on one by the keyboard is put on the same one again.
function keep() {
  let held = null;
  const alike = (href) => [...document.querySelectorAll('a[href^="?tab="]')].filter((link) => link.getAttribute('href') === href);
  const into = (event) => {
    const link = event.target.closest && event.target.closest('a[href^="?tab="]'), href = link && link.getAttribute('href');
    held = link && { link, href, n: alike(href).indexOf(link) };
  };
  const look = () => {
    if (!held || held.link.isConnected || document.activeElement !== document.body) return;
    const found = alike(held.href)[held.n];
    if (found) found.focus({ preventScroll: true });
  };
  const drop = () => { held = null; };
  document.addEventListener('focusin', into);
  document.addEventListener('pointerdown', drop, true);
  const timer = setInterval(look, KEEP_MS);
  return () => {
    clearInterval(timer);
    document.removeEventListener('focusin', into);
    document.removeEventListener('pointerdown', drop, true);
  };
}

// What the keyboard opens it is put into: a popover (HALT, Release) stands at the end of the document, past every link of the page.
function enter() {
  let until = 0;
  const press = (event) => { until = event.key === 'Enter' || event.key === ' ' ? Date.now() + AIM_MS : 0; };
  const drop = () => { until = 0; };
  const look = () => {
    const opener = document.activeElement;
    if (Date.now() > until || !opener || opener.getAttribute('aria-expanded') !== 'true' || opener.getAttribute('aria-haspopup') !== 'dialog') return;
    const first = document.querySelector('[data-testid="stPopoverBody"] :is(input, textarea, button, a[href]):not([disabled])');
    if (!first) return;
    until = 0;
    first.focus();
  };
  document.addEventListener('keydown', press, true);
  document.addEventListener('pointerdown', drop, true);
  const timer = setInterval(look, KEEP_MS);
  return () => {
    clearInterval(timer);
    document.removeEventListener('keydown', press, true);
    document.removeEventListener('pointerdown', drop, true);
  };
}

// An answer opens at its verdict, also one that is longer than the window: while it is being drawn, unless a person scrolls.
function aim() {
  const events = ['wheel', 'touchstart', 'pointerdown', 'keydown'];
  let seen = '', until = 0;
  const look = () => {
    const newest = document.querySelector('[class*="st-key-newest_"]');
    const name = newest ? [...newest.classList].find((one) => one.startsWith('st-key-newest_')) : '';
    if (name !== seen) until = name ? Date.now() + AIM_MS : 0;
    seen = name;
    if (Date.now() < until) newest.scrollIntoView({ block: 'start' });
  };
  const leave = () => { until = 0; };
  events.forEach((event) => document.addEventListener(event, leave, true));
  const timer = setInterval(look, KEEP_MS);
  return () => {
    clearInterval(timer);
    events.forEach((event) => document.removeEventListener(event, leave, true));
  };
}

// Popovers and dialogs stand beside the app, where the theme that a person chose is not known: our colours follow it from here.
function shade() {
  const app = document.querySelector('.stApp'), root = document.documentElement;
  const look = () => {
    const scheme = getComputedStyle(app).colorScheme;
    if (root.style.colorScheme !== scheme) root.style.colorScheme = scheme;
  };
  look();
  const timer = setInterval(look, SHADE_MS);
  return () => clearInterval(timer);
}

// What waits, in the name of the browser's tab, where it is seen from another one; ■ while something pages. Streamlit sets its own again.
function name() {
  const look = () => {
    const waits = document.querySelector('.status a'), mode = document.querySelector('.status .mode');
    const [many] = (waits ? waits.textContent : '').match(/\d+/) || [''];
    const paged = [...document.querySelectorAll('.note.bad b')].some((one) => one.textContent.startsWith('■ PAGE'));
    const first = document.querySelector('.gone') ? '■ no answer · ' : many ? `${paged ? '■' : '▲'} ${many} · ` : '';
    const said = `${first}Nightdesk${mode && mode.textContent !== 'PAPER' ? ` ${mode.textContent}` : ''}`;
    if (document.title !== said) document.title = said;
  };
  const timer = setInterval(look, SHADE_MS);
  return () => clearInterval(timer);
}

function watch() {
  let lost = 0, since = null;
  const note = document.querySelector('.gone') || document.createElement('div');
  note.className = 'gone';
  note.setAttribute('role', 'alert');
  const look = async () => {
    const limit = new AbortController(), timer = setTimeout(() => limit.abort(), WAIT_MS);
    try {
      const answer = await fetch('_stcore/health', { cache: 'no-store', signal: limit.signal });
      if (!answer.ok) throw new Error('not healthy');
      if (lost) note.remove();
      lost = 0;
      since = null;
    } catch {
      since = since || new Date();
      if (++lost > 1) say(note, since);
    } finally {
      clearTimeout(timer);
    }
  };
  const timer = setInterval(look, LOOK_MS);
  return () => { clearInterval(timer); note.remove(); };
}

function say(note, since) {
  const at = document.querySelector('.desk-time'), figures = at ? `Figures below are of desk time ${at.textContent.trim()}. ` : '';
  const clock = since.toISOString().slice(11, 19) + 'Z';
  note.replaceChildren();
  const strong = document.createElement('b');
  strong.textContent = `■ The page does not answer since ${clock} (wall clock).`;
  const rest = `${figures}The desk may trade on without the page. In a terminal: nightdesk ui starts ` +
    'the page, nightdesk halt --reason WHY stops the desk. It reconnects by itself.';
  note.append(strong, ' ' + rest);
  if (!note.isConnected) document.querySelector('.stApp').append(note);
}
