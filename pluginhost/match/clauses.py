"""What Lucene makes of the clauses of one level: required, prohibited and optional ones, not a boolean expression.

`a AND b OR c` asks for a and b; c is only a score. Nobody means that, so that a level which mixes them is warned of; with
parentheses the two languages agree. The rules are those of the classic parser, clause by clause.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from .tree import EVERYTHING, All, Any, Node, Not

__all__ = ["Clause", "level", "mixed", "parenthesised"]

Need = Literal["must", "should", "not"]


class Clause(msgspec.Struct, frozen=True):
    """One clause of a level. `node` is None where analysis left nothing of it: it then counts for its conjunction only."""

    node: Node | None
    text: str
    conjunction: Literal["and", "or", ""] = ""
    modifier: Literal["plus", "not", ""] = ""


def _needs(clauses: Sequence[Clause], *, default_and: bool) -> list[tuple[Clause, Need]]:
    found: list[tuple[Clause, Need]] = []
    for clause in clauses:
        if found and found[-1][1] != "not":
            if clause.conjunction == "and":
                found[-1] = found[-1][0], "must"
            elif default_and and clause.conjunction == "or":
                found[-1] = found[-1][0], "should"
        if clause.node is not None:
            found.append((clause, _need(clause, default_and=default_and)))
    return found


def _need(clause: Clause, *, default_and: bool) -> Need:
    if clause.modifier == "not":
        return "not"
    if default_and:
        return "should" if clause.conjunction == "or" else "must"
    return "must" if clause.modifier == "plus" or clause.conjunction == "and" else "should"


def level(clauses: Sequence[Clause], *, default_and: bool = False) -> Node | None:
    """What a record must pass; None if analysis left nothing."""
    needs = _needs(clauses, default_and=default_and)
    if not needs:
        return None
    must = [clause.node for clause, need in needs if need == "must" and clause.node]
    should = [clause.node for clause, need in needs if need == "should" and clause.node]
    prohibited = [Not(clause.node) for clause, need in needs if need == "not" and clause.node]
    positive: Node = All(tuple(must)) if must else Any(tuple(should)) if should else EVERYTHING
    return All((positive, *prohibited))


def mixed(clauses: Sequence[Clause], *, default_and: bool = False) -> bool:
    """Whether a reader would expect something else: optional clauses that have no say, or an OR that excludes."""
    needs = _needs(clauses, default_and=default_and)
    kinds = {need for _, need in needs}
    joints = [*(clause.conjunction for clause, _ in needs), ""]
    excluding = any(need == "not" and "or" in joints[at : at + 2] for at, (_, need) in enumerate(needs))
    return {"must", "should"} <= kinds or excluding


def parenthesised(clauses: Sequence[Clause], *, default_and: bool = False) -> str:
    """The level as a reader takes it: AND binds before OR, NOT only the next clause."""
    groups: list[list[str]] = []
    for clause in clauses:
        text = f"(NOT {clause.text})" if clause.modifier == "not" else clause.text
        if groups and (clause.conjunction == "and" or (default_and and not clause.conjunction)):
            groups[-1].append(text)
        else:
            groups.append([text])
    if len(groups) == 1:
        return " AND ".join(groups[0])
    return " OR ".join(f"({' AND '.join(group)})" if len(group) > 1 else group[0] for group in groups)
