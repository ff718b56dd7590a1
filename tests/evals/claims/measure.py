"""How often the checker errs on the claims set: `make evals` prints escapes and false strikes by kind and by origin.

An escape: a false sentence in which nothing is struck. A false strike: a true one in which something is. `--list` prints each
of the set; what is held out is counted, never printed, so that nobody improves the checker on it.
"""

import math
import random
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from agents.grounding import ground
from agents.support import Ground
from tests.evals.claims.made_threads import made as made_of_threads
from tests.evals.claims.other_hand import SCENES
from tests.evals.claims.scene import running_scene, scene
from tests.evals.claims.templates import LabelledClaim, made
from tests.evals.claims.threads import THREADS

SPOKEN = Path(__file__).parent / "spoken.toml"
UNSEEN = Path(__file__).parent / "unseen.toml"
GRAMMAR = Path(__file__).parent / "grammar.toml"
RUNNING = Path(__file__).parent / "running.toml"  # said in the other thread
THREADS_FILE = Path(__file__).parent / "threads.toml"  # said in the further threads, each under the name of its thread
WORDINGS = Path(__file__).parent / "wordings.toml"  # two further rounds, in every thread
FURTHER = Path(__file__).parent / "further.toml"  # no part of the set: written before the checker read grammar, never listed
OTHER_HAND = Path(__file__).parent / "other_hand.toml"  # by a hand that has not read the checker, in threads of its own; held out
HELD_OUT = Path(__file__).parent / "held_out.toml"  # no part of the set: the checker was never improved on it
MODEL_WRITTEN = (Path(__file__).parent / "model_acts.toml", Path(__file__).parent / "model_figures.toml")
MODEL_SEEN, MODEL_HELD_OUT = "model-written, seen", "model-written, held out"
SEED = 7
SPLIT_SEED = 20  # drawn once, before the first listing of what was judged wrongly
EACH = 200  # of a kind and truth, from templates
THREAD_EACH = 3  # of each fact of a further thread and truth
MUTATIONS = 4  # of each sentence written by hand

# what small models and hostile servers wrap around a sentence; none of it changes what is claimed
WRAPS = (
    "Sure! {}",
    "**{}**",
    "- {}",
    "> {}",
    "Okay, {lower}",
    "Update: {}",
    "{} Let me know if you need anything else!",
    "Thank you for your patience. {}",
    "### Summary\n{}",
    "1. {}",
    "{} \u2705",
    "As an AI assistant I am happy to help. {}",
    "{bare}!",
    "Assistant: {}",
    "Final answer: {}",
    "*{}*",
    "\u26a0\ufe0f {}",
    "Certainly. {}",
)


def spoken(path: Path = SPOKEN) -> Iterator[LabelledClaim]:
    """The sentences written by hand in the manner of small models and hostile servers, each with its mutations."""
    rng = random.Random(SEED)
    held = tomllib.loads(path.read_text(encoding="utf-8"))
    for kind, by_truth in held.items():
        for truth, texts in by_truth.items():
            for text in texts:
                yield LabelledClaim(kind, "hand", text, truth == "true")
                lower = text if text.startswith(("I ", "I'", "`", "|")) else text[0].lower() + text[1:]
                for wrap in rng.sample(WRAPS, MUTATIONS):
                    changed = wrap.format(text, lower=lower, bare=text.rstrip("."))
                    yield LabelledClaim(kind, "mutation", changed, truth == "true")


def model_written() -> Iterator[LabelledClaim]:
    """What a language model wrote before it saw the checker: of each kind and truth one half to improve on, one held out."""
    rng = random.Random(SPLIT_SEED)
    for path in MODEL_WRITTEN:
        for kind, by_truth in tomllib.loads(path.read_text(encoding="utf-8")).items():
            for truth, rows in by_truth.items():
                texts = [text for _, text, _ in rows]
                rng.shuffle(texts)
                for i, text in enumerate(texts):
                    yield LabelledClaim(kind, MODEL_HELD_OUT if i % 2 else MODEL_SEEN, text, truth == "true")


def claims_set() -> list[LabelledClaim]:
    """The whole set on which the checker is improved, each sentence once."""
    seen = (claim for claim in model_written() if claim.source == MODEL_SEEN)
    grammar = (claim._replace(source="grammar") for claim in by_hand(GRAMMAR))
    listed = (*grammar, *made(SEED, EACH), *spoken(), *spoken(UNSEEN), *seen)
    return list({claim.text: claim for claim in listed}.values())


def by_hand(path: Path) -> list[LabelledClaim]:
    """The sentences of a file, without their mutations."""
    return [claim for claim in spoken(path) if claim.source == "hand"]


def held_out() -> list[LabelledClaim]:
    """The half of what a model wrote on which the checker is never improved."""
    return [claim for claim in model_written() if claim.source == MODEL_HELD_OUT]


def wrong(claims: list[LabelledClaim], thread: Callable[[], Ground] = scene) -> list[LabelledClaim]:
    """The sentences on which the checker errs, said in a thread."""
    stand = thread()
    return [claim for claim in claims if bool(ground(claim.text, stand).struck) == claim.true]


def by_another_hand() -> list[tuple[str, LabelledClaim]]:
    """(thread, sentence) of the set that another hand wrote in its own threads; the checker is never improved on it."""
    read = tomllib.loads(OTHER_HAND.read_text(encoding="utf-8"))
    return [
        (thread, LabelledClaim(kind, "another hand", text, truth == "true"))
        for thread, by_kind in read.items()
        for kind, by_truth in by_kind.items()
        for truth, texts in by_truth.items()
        for text in texts
    ]


def in_threads() -> list[tuple[str, LabelledClaim]]:
    """(thread, sentence) of the further threads: the three rounds by hand, and the figures made by construction."""
    found = []
    for path, source in ((THREADS_FILE, "first round"), (WORDINGS, "second round")):
        for name, by_kind in tomllib.loads(path.read_text(encoding="utf-8")).items():
            of = {"2": "third round", "3": "fourth round"}.get(name[-1], source)
            rows = (
                (kind, truth, text) for kind, by_truth in by_kind.items() for truth, texts in by_truth.items() for text in texts
            )
            found += [(name.rstrip("23"), LabelledClaim(kind, of, text, truth == "true")) for kind, truth, text in rows]
    return found + list(made_of_threads(SEED, THREAD_EACH))


def wrong_in_threads(claims: list[tuple[str, LabelledClaim]]) -> list[LabelledClaim]:
    """Those on which the checker errs, each said in its thread."""
    stands = {name: data.ground() for name, data in THREADS.items()} | {"scene": scene(), "running": running_scene()}
    stands |= {name: thread() for name, thread in SCENES.items()}
    return [claim for name, claim in claims if bool(ground(claim.text, stands[name]).struck) == claim.true]


def rates(claims: list[LabelledClaim], errors: list[LabelledClaim]) -> str:
    """False sentences, escapes, true sentences, false strikes, as the cells of a row."""
    false, true = (sum(claim.true is truth for claim in claims) for truth in (False, True))
    escapes, strikes = (sum(claim.true is truth for claim in errors) for truth in (False, True))
    return f"{false} | {share(escapes, false)} | {true} | {share(strikes, true)}"


def share(errors: int, count: int) -> str:
    """How many of how many, with the 95 % interval (Wilson) of the rate."""
    if not count:
        return "0"
    rate, z = errors / count, 1.96
    middle, half = rate + z * z / (2 * count), z * math.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count))
    low, high = ((middle + way * half) / (1 + z * z / count) for way in (-1, 1))
    return f"{errors} ({rate:.1%}, {max(0.0, low):.1%} to {high:.1%})"


def table(claims: list[LabelledClaim], errors: list[LabelledClaim], by: str) -> str:
    """Escapes and false strikes by kind or by source, as markdown."""
    lines = [f"| {by} | false sentences | escapes | true sentences | false strikes |", "|---|---|---|---|---|"]
    for name in dict.fromkeys(getattr(claim, by) for claim in claims):
        of_it = ([claim for claim in listed if getattr(claim, by) == name] for listed in (claims, errors))
        lines.append(f"| {name} | {rates(*of_it)} |")
    return "\n".join([*lines, f"| all | {rates(claims, errors)} |"])


def report(claims: list[LabelledClaim], errors: list[LabelledClaim]) -> str:
    """What `make evals` prints and docs/claims.md repeats: what is held out first, then the set by kind and by origin."""
    late, further, acts, running = held_out(), by_hand(FURTHER), by_hand(HELD_OUT), by_hand(RUNNING)
    threads = in_threads()
    said = [claim for _, claim in threads]
    other = by_another_hand()
    unread = [claim for _, claim in other]
    parts = [
        f"{len(unread)} sentences held out, by another hand in its own threads:",
        table(unread, wrong_in_threads(other), "kind"),
    ]
    parts += [f"{len(further)} sentences held out, by hand:", table(further, wrong(further), "kind")]
    parts += [f"{len(late)} sentences held out, by a model:", table(late, wrong(late), "kind")]
    parts += [f"{len(acts)} acts held out, by hand:", table(acts, wrong(acts), "kind")]
    parts += [f"{len(claims)} sentences on which the checker is improved:", table(claims, errors, "kind")]
    parts.append(table(claims, errors, "source"))
    parts += [f"{len(running)} sentences of another thread, improved on:", table(running, wrong(running, running_scene), "kind")]
    parts += [f"{len(said)} sentences of the further threads, improved on:", table(said, wrong_in_threads(threads), "source")]
    return "\n\n".join(parts)


def main() -> None:
    """Print the tables; with --list each sentence of the set that is judged wrongly, never one that is held out."""
    claims = claims_set()
    errors = wrong(claims)
    print(report(claims, errors))
    if "--list" in sys.argv:
        for claim in errors:
            print(f"{'false strike' if claim.true else 'escape'} ({claim.kind}, {claim.source}): {claim.text!r}")


if __name__ == "__main__":
    main()
