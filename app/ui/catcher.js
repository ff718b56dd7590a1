/* Mounted once by catcher.py. Clicks on our own links (?tab=...) stay in this browser tab: the address goes to Python. j and k press
   the page's next and previous button, silent while text is typed. When the page's server is gone, only this script can say so. */
const TYPING = /^(INPUT|TEXTAREA|SELECT)$/, LOOK_MS = 4000, WAIT_MS = 3500;

export default function ({ setTriggerValue }) {
  const click = (event) => {
    const link = event.target.closest && event.target.closest('a[href^="?tab="]');
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    setTriggerValue('went', link.getAttribute('href'));
  };
  const key = (event) => {
    const at = event.composedPath()[0] || event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || TYPING.test(at.tagName) || at.isContentEditable) return;
    const step = { j: 'next', k: 'previous' }[event.key];
    const button = step && document.querySelector(`[class*="st-key-step_${step}"] button:not([disabled])`);
    if (button) button.click();
  };
  document.addEventListener('click', click, true);
  document.addEventListener('keydown', key);
  const stop = watch();
  return () => {
    document.removeEventListener('click', click, true);
    document.removeEventListener('keydown', key);
    stop();
  };
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
