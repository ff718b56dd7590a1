"""How often the checker errs on the claims set: `make evals` prints escapes and false strikes by kind and by origin.

An escape: a false sentence that is shown without a mark. A false strike: a true one in which something is struck. Marked:
neither, as the model's own words that nothing proves. `--list` prints each error of the set; what is held out is counted, never
printed, so that nobody improves the checker on it.
"""

import math
import random
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

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
CHATTY = Path(__file__).parent / "chatty.toml"  # in the manner of a chatty model; written before the three outcomes, held out
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


class JudgedClaim(NamedTuple):
    """A sentence of the set, and what became of it: struck, marked (not checked), or shown unmarked."""

    claim: LabelledClaim
    outcome: str

    @property
    def wrong(self) -> bool:
        """An escape, or a false strike."""
        return self.outcome == ("struck" if self.claim.true else "unmarked")


def outcome_of(text: str, stand: Ground) -> str:
    """Struck where anything of it is, else marked where anything of it is, else unmarked."""
    done = ground(text, stand)
    return "struck" if done.struck else "marked" if done.unchecked else "unmarked"


def judged(claims: list[LabelledClaim], thread: Callable[[], Ground] = scene) -> list[JudgedClaim]:
    """What becomes of each sentence, said in a thread."""
    stand = thread()
    return [JudgedClaim(claim, outcome_of(claim.text, stand)) for claim in claims]


def by_another_hand() -> list[tuple[str, LabelledClaim]]:
    """(thread, sentence) of the set that another hand wrote in its own threads; the checker is never improved on it."""
    return in_file(OTHER_HAND, "another hand")


def in_file(path: Path, source: str) -> list[tuple[str, LabelledClaim]]:
    """(thread, sentence) of a file that says sentences under the names of threads."""
    read = tomllib.loads(path.read_text(encoding="utf-8"))
    return [
        (thread, LabelledClaim(kind, source, text, truth == "true"))
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


def judged_in_threads(claims: list[tuple[str, LabelledClaim]]) -> list[JudgedClaim]:
    """What becomes of each, said in its thread."""
    stands = {name: data.ground() for name, data in THREADS.items()} | {"scene": scene(), "running": running_scene()}
    stands |= {name: thread() for name, thread in SCENES.items()}
    return [JudgedClaim(claim, outcome_of(claim.text, stands[name])) for name, claim in claims]


def rates(found: list[JudgedClaim]) -> str:
    """False sentences, those that escape and are struck; true ones, those struck and shown unmarked; as the cells of a row."""
    false, true = ([one.outcome for one in found if one.claim.true is truth] for truth in (False, True))
    of_false = (
        f"{len(false)} | {share(false.count('unmarked'), len(false))} | {percent(false, 'marked')} | {percent(false, 'struck')}"
    )
    of_true = f"{len(true)} | {share(true.count('struck'), len(true))} | {percent(true, 'marked')} | {percent(true, 'unmarked')}"
    return f"{of_false} | {of_true}"


def percent(outcomes: list[str], wanted: str) -> str:
    """The share of an outcome."""
    return f"{outcomes.count(wanted) / len(outcomes):.1%}" if outcomes else "-"


def share(errors: int, count: int) -> str:
    """How many of how many, with the 95 % interval (Wilson) of the rate."""
    if not count:
        return "0"
    rate, z = errors / count, 1.96
    middle, half = rate + z * z / (2 * count), z * math.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count))
    low, high = ((middle + way * half) / (1 + z * z / count) for way in (-1, 1))
    return f"{errors} ({rate:.1%}, {max(0.0, low):.1%} to {high:.1%})"


HEAD = "false sentences | escapes | marked | struck | true sentences | false strikes | marked | unmarked |"


def table(found: list[JudgedClaim], by: str) -> str:
    """The rates by kind or by source, as markdown."""
    lines = [f"| {by} | {HEAD}", "|---" * 9 + "|"]
    for name in dict.fromkeys(getattr(one.claim, by) for one in found):
        lines.append(f"| {name} | {rates([one for one in found if getattr(one.claim, by) == name])} |")
    return "\n".join([*lines, f"| all | {rates(found)} |"])


def report(claims: list[JudgedClaim]) -> str:
    """What `make evals` prints and docs/claims.md repeats: what is held out first, then the set by kind and by origin."""
    other, chatty = by_another_hand(), in_file(CHATTY, "chatty")
    held = [("by another hand in its own threads", judged_in_threads(other)), ("of a chatty model", judged_in_threads(chatty))]
    held += [
        ("by hand", judged(by_hand(FURTHER))),
        ("by a model", judged(held_out())),
        ("acts, by hand", judged(by_hand(HELD_OUT))),
    ]
    parts = [part for name, found in held for part in (f"{len(found)} sentences held out, {name}:", table(found, "kind"))]
    parts += [f"{len(claims)} sentences on which the checker is improved:", table(claims, "kind"), table(claims, "source")]
    running, threads = judged(by_hand(RUNNING), running_scene), judged_in_threads(in_threads())
    parts += [f"{len(running)} sentences of another thread, improved on:", table(running, "kind")]
    parts += [f"{len(threads)} sentences of the further threads, improved on:", table(threads, "source")]
    return "\n\n".join(parts)


def main() -> None:
    """Print the tables; with --list each sentence of the set that is judged wrongly, never one that is held out."""
    claims = judged(claims_set())
    sys.stdout.write(report(claims) + "\n")
    if "--list" in sys.argv:
        listed = [*claims, *judged(by_hand(RUNNING), running_scene), *judged_in_threads(in_threads())]
        for name, found in (("escape", False), ("false strike", True)):
            sys.stdout.writelines(f"{name}: {one.claim.text!r}\n" for one in listed if one.wrong and one.claim.true is found)


if __name__ == "__main__":
    main()
