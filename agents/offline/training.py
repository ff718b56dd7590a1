"""Learns the classifier: `python -m agents.offline.training` reads sentences/ and writes learned.npz. Run it after a change of
either, of senses.txt, or of how a sentence is read; a test says when the file is older than they are.

Logistic regression by AdaGrad: one softmax for what is asked, one for each closed argument on the sentences whose tool takes it.
"""

import hashlib
import math
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rapidfuzz.distance import DamerauLevenshtein
from scipy import sparse

from agents.offline import features as seen
from agents.offline.entries import entries
from agents.offline.labels import ARGUMENTS, FOLDER, MORE, AskLabel, WrittenSentence, sentences
from agents.offline.learned import ASK, FILE, NONE, in_context
from agents.offline.slots import read_slots
from agents.offline.words import VOCABULARY, Param, SleeveName, Words, stem, vocabulary
from engine.strategies.base import BASKETS, OURS, load_strategy, params_table

SENTENCES_MIN = 3  # of which a feature must be one
ERROR_TIMES = 12  # how many times as frequent the word is that a rarer one may be an error of
WORDS_MIN = 4  # sentences of which a word must be one, to be no typing error
PASSES = 15  # over all sentences
BATCH = 512
STEP, LEAST = 0.5, 1e-6
SEED = 7
WORKERS = 2  # processes: half the time, and the same weights
LOG = "journal_search"  # its examples are of every kind, and each kind has sentences of its own


def source_hash() -> str:
    """The hash of what is learned from."""
    digest = hashlib.sha256()
    for path in [*sorted(FOLDER.glob("*.txt")), FOLDER.parent / "senses.txt", FOLDER.parent / "features.py"]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def desk_words() -> Words:
    """The desk that the sentences speak of: the shipped strategies, four sleeves, two models, a Tuesday in December."""
    strategies = {
        name: tuple(
            Param(row["key"], row["unit"] or "", row["default"], row["low"], row["high"], row["choices"])
            for row in params_table(load_strategy(name))
        )
        for name in OURS
        if name not in BASKETS  # "pairs" is a word of its own
    }
    named = (("btc-trend", "trend", "BTC-USDT"), ("eth-trend", "trend", "ETH-USDT"), ("sol-reversion", "reversion", "SOL-USDT"))
    sleeves = tuple(SleeveName(name, strategy, symbol, "15m", "binance", {}) for name, strategy, symbol in named)
    read = {"vol-btc": "1.2.0", "regime-btc": "1.0.0"}
    sleeves += (SleeveName("btc-vol", "volscaled", "BTC-USDT", "15m", "binance", {}, read),)
    models = {"vol-btc": ("1.1.0", "1.2.0", "1.3.0"), "regime-btc": ("1.0.0",)}
    coins = ("BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "BNB", "LTC", "LINK", "AVAX")
    now = int(datetime(2025, 12, 2, 5, 15, tzinfo=UTC).timestamp() * 1000)
    return Words(strategies, sleeves, tuple(f"{coin}-USDT" for coin in coins), ("binance", "okx", "bybit"), now, models)


class Softmax(NamedTuple):
    """One softmax: its values, the rows that it learns from, and the value of each."""

    name: str
    values: Sequence[str]
    rows: Sequence[int]
    truth: Sequence[int]


def groups_of(listed: Sequence[WrittenSentence]) -> list[Softmax]:
    """What is asked, then each argument on the sentences whose tool takes it."""
    wanted = [(ASK, list(range(len(listed))), [s.label.ask for s in listed])]
    for name in ARGUMENTS:
        takers = {s.label.ask.split()[0] for s in listed if name in s.label.args and s.label.ask != "way"} - {MORE}
        rows = [
            i for i, s in enumerate(listed) if s.label.ask.split()[0] in takers or name in s.label.args or s.label.ask == MORE
        ]
        wanted.append((name, rows, [listed[i].label.args.get(name, NONE) for i in rows]))
    made = []
    for name, rows, truth in wanted:
        values = sorted(set(truth))
        made.append(Softmax(name, values, rows, [values.index(value) for value in truth]))
    return made


def matrix(listed: Sequence[frozenset[str]], row_of: Mapping[str, int], idf: "np.ndarray[Any, Any]") -> Any:
    """Sentences x features: how rare each feature is, every row of length 1."""
    places = [[row_of[name] for name in sorted(of) if name in row_of] for of in listed]
    rows = np.repeat(np.arange(len(listed)), [len(p) for p in places])
    columns = np.concatenate([np.array(p, dtype=np.int64) for p in places])
    values = idf[columns].astype(np.float32)
    lengths = np.sqrt(np.bincount(rows, values**2, minlength=len(listed)))
    lengths = np.where(lengths > 0, lengths, 1).astype(np.float32)
    return sparse.csr_matrix((values / lengths[rows], (rows, columns)), shape=(len(listed), len(row_of)), dtype=np.float32)


def fitted(x: Any, group: Softmax) -> tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]:
    """Weights (features x values) and biases of one softmax; rare values weigh more, by the root of how rare they are.

    AdaGrad over small batches: a pass is over after a fifteenth of the time of a batch method, and to stop after so few passes
    keeps a probability near how often it is right in a voice that was not learned from.
    """
    of, truth = x[group.rows], np.array(group.truth)
    n, size = of.shape[0], len(group.values)
    weight = (n / (size * np.bincount(truth, minlength=size))) ** 0.5
    each = (weight[truth] / weight[truth].mean()).astype(np.float32)
    weights, slopes = np.zeros((of.shape[1], size), np.float32), np.full((of.shape[1], size), LEAST, np.float32)
    bias, bias_slopes = np.zeros(size, np.float32), np.full(size, LEAST, np.float32)
    rng = np.random.default_rng(SEED)
    for _ in range(PASSES):
        order = rng.permutation(n)
        for at in range(0, n, BATCH):
            chosen = order[at : at + BATCH]
            part = of[chosen]
            used, place = np.unique(part.indices, return_inverse=True)
            part = sparse.csr_matrix((part.data, place, part.indptr), shape=(len(chosen), len(used)))
            shares = part @ weights[used] + bias
            shares = np.exp(shares - shares.max(1, keepdims=True))
            shares /= shares.sum(1, keepdims=True)
            shares[np.arange(len(chosen)), truth[chosen]] -= 1
            shares *= each[chosen][:, None] / len(chosen)
            slope, bias_slope = part.T @ shares, shares.sum(0)
            slopes[used] += slope**2
            weights[used] -= STEP * slope / np.sqrt(slopes[used])
            bias_slopes += bias_slope**2
            bias -= STEP * bias_slope / np.sqrt(bias_slopes)
    return weights, bias


def learn(listed: Sequence[WrittenSentence], to: Path = FILE) -> None:
    """Learn from `listed` and write the weights."""
    with ProcessPoolExecutor(WORKERS) as pool:
        of = list(pool.map(features_of, listed, chunksize=500))
    counted = Counter(name for names in of for name in names)
    names = sorted(name for name, n in counted.items() if n >= SENTENCES_MIN)
    idf = np.array([round(256 * math.log(1 + len(of) / counted[name])) for name in names], dtype=np.int64)
    x = matrix(of, {name: i for i, name in enumerate(names)}, idf)
    columns, weights, biases = [], [], []
    groups = groups_of(listed)
    with ProcessPoolExecutor(WORKERS) as pool:
        found = list(pool.map(partial(fitted, x), groups))
    for group, (of_group, bias) in zip(groups, found, strict=True):
        sys.stderr.write(f"{group.name}: {len(group.rows)} sentences, {len(group.values)} values\n")
        columns += [f"{group.name}\t{value}" for value in group.values]
        weights.append(of_group)
        biases.append(bias)
    together = np.concatenate(weights, axis=1)
    largest = np.abs(together).max(0)
    scale = np.where(largest > 0.0, largest, 1.0) / 127  # a value that few sentences have may have learned nothing
    rounded = np.round(together / scale).astype(np.int8)
    kept = np.flatnonzero(np.abs(rounded).max(1) > 0)
    np.savez_compressed(
        to,
        features=np.array("\n".join(names[i] for i in kept)),
        columns=np.array("\n".join(columns)),
        idf=idf[kept].astype(np.int32),
        weights=rounded[kept],
        bias=np.concatenate(biases),
        scale=scale,
        source=np.array(source_hash()),
    )


def features_of(sentence: WrittenSentence) -> frozenset[str]:
    """The features of a sentence in its thread."""
    return in_context(seen.features(read_slots(sentence.text, desk_words())), sentence.before)


def words_of(listed: Sequence[WrittenSentence]) -> list[str]:
    """Every word of several sentences but typing errors: a rare word a letter away from a frequent one that is no form of it."""
    counted = Counter(word for s in listed for word in set(re.findall(r"[a-z]{3,}", s.text.lower())))
    often = [word for word, n in counted.items() if n >= WORDS_MIN]
    return sorted(word for word in often if not any(_error_of(word, other, counted) for other in often))


def _error_of(word: str, other: str, counted: Mapping[str, int]) -> bool:
    if counted[other] < ERROR_TIMES * counted[word] or abs(len(word) - len(other)) > 1 or stem(word) == stem(other):
        return False
    return DamerauLevenshtein.distance(word, other, score_cutoff=1) == 1


def listed() -> list[WrittenSentence]:
    """What is learned from: the sentences, and what the tools declare as examples."""
    declared = [
        WrittenSentence(text, AskLabel(entry.ask, {})) for entry in entries() if entry.ask != LOG for text in entry.asked.examples
    ]
    return [*sentences(), *declared]


def declared_words() -> set[str]:
    """The words of the examples that tools declare."""
    texts = (text for entry in entries() for text in entry.asked.examples)
    return {word for text in texts for word in re.findall(r"[a-z]{3,}", text.lower())}


if __name__ == "__main__":
    words = sorted(
        {*words_of(learned_from := listed()), *declared_words()}
    )  # first, since typing errors are corrected towards them
    VOCABULARY.write_text("\n".join(words) + "\n", encoding="utf-8")
    vocabulary.cache_clear()
    learn(learned_from)
