"""Gradient-boosted trees without the library that trained them: the JSON dump of LightGBM -> predictions, bit for bit the same.

Called by the trainer for every figure it reports and by the worker for every live prediction: one path. numpy alone. A dump comes
from a file, so it is bounded and validated when it is read; what cannot be reproduced exactly (categories, linear leaves, another
number of classes than three) is refused by name.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.errors import DataError

TREES_MAX, NODES_MAX, DEPTH_MAX, COLUMNS_MAX = 5_000, 500_000, 64, 2_000
ZERO = float(np.float32(1e-35))  # LightGBM's kZeroThreshold: a float that became a double
MISSING = {"None": 0, "Zero": 1, "NaN": 2}
LEAST_EXPONENT = -709.0  # below, e^-x is no double
BLOCK = 1_024  # rows at once: what lies between holds rows x trees numbers
IDENTITY, LOGISTIC, SOFTMAX = "identity", "logistic", "softmax"
CLASSES = 3  # of a softmax: -1, 0 and 1 (labels.SIDES); the trees of an iteration are one for each
LINKS = {  # objective as the dump spells it -> from sums to a prediction
    "regression": IDENTITY,
    "binary sigmoid:1": LOGISTIC,
    f"multiclass num_class:{CLASSES}": SOFTMAX,
}
TOP = ("objective", "max_feature_idx", "num_class", "num_tree_per_iteration", "average_output")
NODE = ("split_feature", "threshold", "decision_type", "default_left", "missing_type", "left_child", "right_child")

Array = npt.NDArray[np.float64]


class Trees(NamedTuple):
    """All nodes of all trees in one table; a leaf is its own child. `roots[i]`: where tree i begins."""

    columns: int
    link: str
    depth: int
    roots: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int32]
    threshold: Array
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    default_left: npt.NDArray[np.bool_]
    missing: npt.NDArray[np.int8]
    value: Array


class _Node(NamedTuple):
    feature: int = 0
    threshold: float = 0.0
    left: int = 0
    right: int = 0
    default_left: bool = True
    missing: int = 0
    value: float = 0.0


def pruned(dump: Mapping[str, Any]) -> dict[str, Any]:
    """A dump of the library with what a prediction needs and nothing else, in the library's own words."""
    trees = [{"num_cat": tree["num_cat"], "tree_structure": _pruned_node(tree["tree_structure"])} for tree in dump["tree_info"]]
    return {**{name: dump[name] for name in TOP}, "tree_info": trees}


def _pruned_node(node: Mapping[str, Any]) -> dict[str, Any]:
    if "split_feature" not in node:
        return {"leaf_value": node["leaf_value"]}
    own = {name: node[name] for name in NODE}
    return own | {side: _pruned_node(node[side]) for side in ("left_child", "right_child")}


def read_trees(dump: Any, where: str = "trees.json") -> Trees:
    """The trees of a dump (`pruned` or whole). Raises DataError, with what and where, for anything that is not such a dump."""
    if not isinstance(dump, Mapping):
        raise DataError(f"{where} holds no tree dump")
    link = LINKS.get(dump.get("objective"))  # type: ignore[arg-type]  # whatever the file has
    if link is None:
        raise DataError(f"{where}: objective {str(dump.get('objective'))[:40]!r} is not supported", f"use {' or '.join(LINKS)}")
    each = CLASSES if link == SOFTMAX else 1
    if (dump.get("num_class"), dump.get("num_tree_per_iteration"), dump.get("average_output")) != (each, each, False):
        raise DataError(f"{where}: {each} classes are expected of this objective; averaged trees are not supported")
    columns = _integer(dump.get("max_feature_idx"), COLUMNS_MAX - 1, f"{where}: max_feature_idx") + 1
    listed = dump.get("tree_info")
    if not isinstance(listed, list) or not 1 <= len(listed) <= TREES_MAX * each or len(listed) % each:
        raise DataError(f"{where}: tree_info is not a list of 1 to {TREES_MAX:,} trees for each class")
    nodes: list[_Node] = []
    roots, depth = [], 0
    for number, tree in enumerate(listed):
        place = f"{where}: tree {number}"
        if not isinstance(tree, Mapping) or tree.get("num_cat", 0) != 0 or "leaf_coeff" in tree:
            raise DataError(f"{place}: categories and linear leaves are not supported")
        roots.append(len(nodes))
        depth = max(depth, _flatten(tree.get("tree_structure"), columns, nodes, place))
    made = [np.asarray(column) for column in zip(*nodes, strict=True)]
    types = (np.int32, np.float64, np.int32, np.int32, np.bool_, np.int8, np.float64)
    table: Any = [column.astype(kind) for column, kind in zip(made, types, strict=True)]
    return Trees(columns, link, depth, np.asarray(roots, dtype=np.int32), *table)


def _flatten(root: Any, columns: int, nodes: list[_Node], place: str) -> int:
    """Append the nodes of one tree; its depth. Without recursion: a file decides how deep it goes."""
    nodes.append(_Node())
    todo, deepest = [(root, len(nodes) - 1, 0)], 0
    while todo:
        node, at, depth = todo.pop()
        deepest = max(deepest, depth)
        if depth > DEPTH_MAX or len(nodes) + 2 > NODES_MAX:
            raise DataError(f"{place} is too large", f"at most {DEPTH_MAX} levels, and {NODES_MAX:,} nodes in all trees")
        if not isinstance(node, Mapping):
            raise DataError(f"{place}: a node is missing")
        if "split_feature" not in node:
            nodes[at] = _Node(left=at, right=at, value=_number(node.get("leaf_value"), f"{place}: leaf_value"))
            continue
        left, right = len(nodes), len(nodes) + 1
        nodes += [_Node(), _Node()]
        nodes[at] = _split(node, columns, place)._replace(left=left, right=right)
        todo += [(node.get("left_child"), left, depth + 1), (node.get("right_child"), right, depth + 1)]
    return deepest


def _split(node: Mapping[str, Any], columns: int, place: str) -> _Node:
    """A split, its children not yet placed."""
    if node.get("decision_type") != "<=":
        raise DataError(f"{place}: decision {str(node.get('decision_type'))[:20]!r} is not supported", "only <= is")
    default, missing = node.get("default_left"), node.get("missing_type")
    if not isinstance(default, bool) or missing not in MISSING:
        raise DataError(f"{place}: a split does not say where missing values go")
    feature = _integer(node.get("split_feature"), columns - 1, f"{place}: split_feature")
    threshold = _number(node.get("threshold"), f"{place}: threshold")
    return _Node(feature, threshold, default_left=default, missing=MISSING[missing])


def _integer(value: Any, most: int, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise DataError(f"{what} = {str(value)[:40]!r} is out of bounds", f"0 to {most:,}")
    return value


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{what} = {str(value)[:40]!r} is not a finite number")
    return float(value)


def predict(trees: Trees, rows: Array) -> Array:
    """One prediction a row of `rows` (n, columns), NaN where missing: a value; a probability where the link is logistic; of three
    classes P(1) - P(-1), which is the label that is expected.

    The same bits for a row alone and in any batch. Raises DataError for another number of columns.
    """
    if trees.link == SOFTMAX:
        return expected(chances(trees, rows))
    raw = _raw(trees, rows)[:, 0]
    return raw if trees.link == IDENTITY else np.array([logistic(x) for x in raw.tolist()])


def chances(trees: Trees, rows: Array) -> Array:
    """(n, 3): the probability of each class of a softmax, in the order -1, 0, 1. Raises as predict does."""
    assert trees.link == SOFTMAX, trees.link  # noqa: S101 - the caller knows its label
    return np.array([softmax(raw) for raw in _raw(trees, rows).tolist()]).reshape(-1, CLASSES)


def expected(found: Array) -> Array:
    """P(1) - P(-1) of the `chances` of rows: a prediction in the label's unit."""
    return found[:, 2] - found[:, 0]


def softmax(raw: Sequence[float]) -> list[float]:
    """e^x of each over their sum, less the greatest: by the C library and in the order in which LightGBM does it."""
    most = max(raw)
    found = [math.exp(x - most) for x in raw]
    total = 0.0
    for one in found:  # sum() has other last bits since Python 3.12: it compensates
        total += one
    return [one / total for one in found]


def _raw(trees: Trees, rows: Array) -> Array:
    """(n, 1) or (n, 3): sums of leaves, before the link."""
    if rows.ndim != 2 or rows.shape[1] != trees.columns:
        raise DataError(f"the model reads {trees.columns} columns, given are {rows.shape[-1]}")
    each = CLASSES if trees.link == SOFTMAX else 1
    if not len(rows):
        return np.empty((0, each))
    blocks = [rows[n : n + BLOCK] for n in range(0, len(rows), BLOCK)]
    return np.column_stack([np.concatenate([_sums(trees, block, trees.roots[k::each]) for block in blocks]) for k in range(each)])


def logistic(x: float) -> float:
    """1 / (1 + e^-x), by the C library as LightGBM does it: numpy's own exponential has other last bits."""
    return 1.0 / (1.0 + math.exp(-x)) if x > LEAST_EXPONENT else 0.0


def _sums(trees: Trees, rows: Array, roots: npt.NDArray[np.int32]) -> Array:
    """The sum of the leaves that each row falls into, added in the order of the trees that begin at `roots`."""
    at = np.repeat(roots[None, :], len(rows), axis=0)
    for _ in range(trees.depth):
        values, missing = np.take_along_axis(rows, trees.feature[at], axis=1), trees.missing[at]
        empty = np.isnan(values)
        values = np.where(empty & (missing != MISSING["NaN"]), 0.0, values)
        lost = (empty & (missing == MISSING["NaN"])) | ((missing == MISSING["Zero"]) & (np.abs(values) <= ZERO))
        with np.errstate(invalid="ignore"):
            to_left = np.where(lost, trees.default_left[at], values <= trees.threshold[at])
        at = np.where(to_left, trees.left[at], trees.right[at])
    return np.cumsum(trees.value[at], axis=1)[:, -1] + 0.0  # cumsum adds one after the other, sum() in pairs
