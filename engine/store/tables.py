"""Every table of the desk's database. Read and written through engine.store.db by control, sim, tools, agents and app.

Searchable values have columns of their own; what may still change its shape is JSON text in a column that
says so. Times are UTC milliseconds (`*_ms`), ids short readable texts, a state is one of the words beside its column.
engine/store/migrations has the same tables as SQL; a test keeps the two equal.
"""

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, Text, text
from sqlmodel import Field, SQLModel

from engine.store.columns import json_column as _json
from engine.store.columns import ms_column as _ms
from engine.store.research_tables import CodeFamily, Trial

__all__ = ["CodeFamily", "Trial"]  # in files of their own; their tables are part of the same database


class Run(SQLModel, table=True):
    """One finished or failed backtest, sweep member or fold; its files are in `folder`."""

    __tablename__ = "runs"
    id: str = Field(primary_key=True)
    created_ms: int = Field(sa_column=_ms(index=True))
    strategy: str
    symbol: str
    timeframe: str
    cache_key: str = Field(index=True)  # hash of data, config, code and features
    state: str = "done"  # done | failed | cancelled
    folder: str = ""
    summary: str = Field(default="{}", sa_column=_json())
    body: str = Field(default="{}", sa_column=_json())


class Job(SQLModel, table=True):
    """Work that a spawned process does for a person or a tool."""

    __tablename__ = "jobs"
    id: str = Field(primary_key=True)
    kind: str
    args: str = Field(default="{}", sa_column=_json())
    state: str = Field(default="queued", index=True)  # queued | running | done | failed | cancelled
    progress: float = 0.0  # 0..1
    pid: int | None = None
    thread: str | None = None
    turn: str | None = None
    person: str | None = None
    run_id: str | None = None
    error: str | None = None
    created_ms: int = Field(sa_column=_ms(index=True))
    started_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    ended_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    body: str = Field(default="{}", sa_column=_json())


class Proposal(SQLModel, table=True):
    """A change waiting for a person. `pending` goes to exactly one of the other states, once."""

    __tablename__ = "proposals"
    # one pending proposal a sleeve is a rule of the database, not only of the code
    __table_args__ = (
        Index(
            "one_pending_a_sleeve",
            "sleeve",
            unique=True,
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
    )
    id: str = Field(primary_key=True)
    kind: str  # change | pause | rollback | code | maker
    sleeve: str  # several: their names joined by ", "; "*" for a rollback of the whole desk
    base_version: int  # the desk's version when it was made; what must still hold is in proposal_parts
    diff: str = Field(sa_column=_json())  # {"changes": [{"key", "old", "value", "low", "high", "unit", "choices"?}], ...}
    diff_sha256: str
    direction: str  # tightens | loosens | neutral | unknown
    exposure: str = Field(default="{}", sa_column=_json())  # worst case before and after
    rationale: str = Field(default="", sa_column=Column(Text, nullable=False))
    evidence: str = Field(default="[]", sa_column=_json("[]"))
    requester: str = Field(default="{}", sa_column=_json())  # {"role", "thread", "person"}
    created_ms: int = Field(sa_column=_ms(index=True))
    expires_ms: int = Field(sa_column=_ms())
    state: str = Field(default="pending", index=True)  # pending | applied | rejected | expired | stale | superseded
    state_reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    decided_by: str | None = Field(default=None, sa_column=Column(Text, nullable=True))  # JSON of the actor
    decided_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    applied_version: int | None = None  # of the desk
    rollback_of: int | None = None  # of the desk
    journal_id: str | None = None  # the people journal's record of the decision
    body: str = Field(default="{}", sa_column=_json())


class ProposalPart(SQLModel, table=True):
    """What a proposal does to one sleeve: the sleeve's version that its diff was made against, and the one it became."""

    __tablename__ = "proposal_parts"
    # of all proposals that wait, one may touch a sleeve: also a rule of the database, for proposals that span sleeves too
    __table_args__ = (
        Index(
            "one_pending_part_a_sleeve",
            "sleeve",
            unique=True,
            sqlite_where=text("pending"),
            postgresql_where=text("pending"),
        ),
    )
    proposal_id: str = Field(primary_key=True, foreign_key="proposals.id")
    sleeve: str = Field(primary_key=True)
    from_version: int
    from_sha256: str  # of that version: desk.toml may be edited until version 1 is written
    to_version: int | None = None  # null until it is applied
    pending: bool = True  # as long as its proposal is: engine.control.pending


class ConfigVersion(SQLModel, table=True):
    """One immutable version of the whole desk: a set of sleeve versions."""

    __tablename__ = "config_versions"
    version: int = Field(primary_key=True)
    sha256: str  # of the configuration that the sleeve versions make together
    sleeves: str = Field(default="[]", sa_column=_json("[]"))  # [[sleeve, version], ...] in the order in which they decide
    created_ms: int = Field(sa_column=_ms())
    made_by: str = Field(default="{}", sa_column=_json())
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    proposal_id: str | None = None
    rollback_of: int | None = None


class SleeveVersion(SQLModel, table=True):
    """One immutable configuration of one sleeve."""

    __tablename__ = "sleeve_versions"
    sleeve: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    sha256: str
    body: str = Field(sa_column=_json())
    created_ms: int = Field(sa_column=_ms())
    made_by: str = Field(default="{}", sa_column=_json())
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    proposal_id: str | None = None
    rollback_of: int | None = None  # the sleeve's version that it equals


class Active(SQLModel, table=True):
    """The pointer to the desk's version in force: one row, id 1; no row before version 1 is written."""

    __tablename__ = "active"
    id: int = Field(default=1, primary_key=True)
    version: int = Field(foreign_key="config_versions.version")
    changed_ms: int = Field(sa_column=_ms())


class ActiveSleeve(SQLModel, table=True):
    """The pointer to one sleeve's version in force. An approval moves it by compare-and-set."""

    __tablename__ = "active_sleeves"
    __table_args__ = (ForeignKeyConstraint(["sleeve", "version"], ["sleeve_versions.sleeve", "sleeve_versions.version"]),)
    sleeve: str = Field(primary_key=True)
    version: int
    changed_ms: int = Field(sa_column=_ms())


class HomeIdentity(SQLModel, table=True):
    """Which home this database belongs to: one row, id 1, never changed. The home's file home.json holds the same id."""

    __tablename__ = "home_identity"
    id: int = Field(default=1, primary_key=True)
    home_id: str
    made_ms: int = Field(sa_column=_ms())


class Halt(SQLModel, table=True):
    """One halt; latched while `released_ms` is null. The file HALT of the home is the other half of the latch."""

    __tablename__ = "halts"
    id: int | None = Field(default=None, primary_key=True)
    reason: str = Field(sa_column=Column(Text, nullable=False))
    set_by: str = Field(default="{}", sa_column=_json())
    set_ms: int = Field(sa_column=_ms(index=True))
    released_ms: int | None = Field(default=None, sa_column=_ms(nullable=True, index=True))
    released_by: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    release_reason: str | None = Field(default=None, sa_column=Column(Text, nullable=True))


class DifferenceAdoption(SQLModel, table=True):
    """One difference between desk and venue that a person adopts, or an incident window that one opens or closes. The worker
    answers it, once; the journal has the outcome."""

    __tablename__ = "adoptions"
    id: int | None = Field(default=None, primary_key=True)
    difference: str = Field(sa_column=Column(Text, nullable=False))
    body: str = Field(default="{}", sa_column=_json())  # engine.book.adoption.AdoptBody without its number; or of a window
    asked_by: str = Field(default="{}", sa_column=_json())  # actor
    reason: str = Field(sa_column=Column(Text, nullable=False))
    asked_ms: int = Field(sa_column=_ms())
    state: str = Field(default="pending", index=True)  # pending | adopted | refused
    outcome: str = Field(default="", sa_column=Column(Text, nullable=False))  # why it was refused
    answered_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))


class Thread(SQLModel, table=True):
    """One conversation with one role."""

    __tablename__ = "threads"
    id: str = Field(primary_key=True)
    role: str  # developer | operator | advisor
    person: str = ""
    created_ms: int = Field(sa_column=_ms(index=True))
    body: str = Field(default="{}", sa_column=_json())


class Turn(SQLModel, table=True):
    """One question and its answer."""

    __tablename__ = "turns"
    id: str = Field(primary_key=True)
    thread: str = Field(index=True)
    role: str
    state: str = Field(default="running", index=True)  # running | done | failed | cancelled
    text: str = Field(default="", sa_column=Column(Text, nullable=False))
    answer: str = Field(default="{}", sa_column=_json())
    model: str = ""
    created_ms: int = Field(sa_column=_ms(index=True))
    ended_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    body: str = Field(default="{}", sa_column=_json())


class TurnEvent(SQLModel, table=True):
    """One numbered event of a turn, so that a reader can resume where it left off."""

    __tablename__ = "turn_events"
    turn: str = Field(primary_key=True)
    n: int = Field(primary_key=True)
    kind: str
    created_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    body: str = Field(default="{}", sa_column=_json())


class InboxNote(SQLModel, table=True):
    """One note of a role in the inbox, until a person promotes or drops it."""

    __tablename__ = "notes"
    id: str = Field(primary_key=True)
    role: str = Field(index=True)
    thread: str = ""
    person: str = ""
    title: str = ""
    state: str = Field(default="inbox", index=True)  # inbox | promoted | dropped
    path: str = ""
    created_ms: int = Field(sa_column=_ms(index=True))
    text: str = Field(default="", sa_column=Column(Text, nullable=False))
    evidence: str = Field(default="[]", sa_column=_json("[]"))
    body: str = Field(default="{}", sa_column=_json())


class Anchor(SQLModel, table=True):
    """The last recorded head of a journal: it reveals records dropped at the journal's end."""

    __tablename__ = "anchors"
    journal: str = Field(primary_key=True)  # desk | people
    seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    hash: str
    noted_ms: int = Field(sa_column=_ms())


class VerifiedPrefix(SQLModel, table=True):
    """How far a journal has been verified, and the digest of those bytes; verification resumes behind it."""

    __tablename__ = "verified"
    journal: str = Field(primary_key=True)  # desk | people
    seq: int = Field(sa_column=Column(BigInteger, nullable=False))  # of its last record
    hash: str
    end_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))  # where that record ends in the file
    digest: str  # BLAKE3 of all bytes up to there
    noted_ms: int = Field(sa_column=_ms())


class SealedPart(SQLModel, table=True):
    """A packed part of a journal as it was sealed: a part in its place has another digest."""

    __tablename__ = "sealed_parts"
    name: str = Field(primary_key=True)  # of its file: the journal, its first and last record, its bytes
    journal: str = Field(index=True)  # desk | people
    last_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    last_hash: str  # what the record behind it names as `prev`
    digest: str  # SHA-256 of the file
    noted_ms: int = Field(sa_column=_ms())


class FailedPassphrase(SQLModel, table=True):
    """Consecutive wrong passphrases of one person, and until when further ones are refused unread."""

    __tablename__ = "wrong_words"
    name: str = Field(primary_key=True)
    count: int
    last_ms: int = Field(sa_column=_ms())
    until_ms: int = Field(sa_column=_ms())


class Alert(SQLModel, table=True):
    """One thing that is, or was, wrong: opened once, repeated while it lasts, escalated when not acknowledged, resolved once."""

    __tablename__ = "alerts"
    # one open alert a fingerprint is a rule of the database: two checks at once open one
    __table_args__ = (
        Index(
            "one_open_a_fingerprint",
            "fingerprint",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )
    id: str = Field(primary_key=True)
    fingerprint: str
    kind: str  # worker | bars | ... : engine.watch.observation.RUNBOOKS
    severity: str  # page | warn | note
    state: str = Field(default="open", index=True)  # open | resolved
    what: str = Field(sa_column=Column(Text, nullable=False))
    place: str = Field(default="", sa_column=Column(Text, nullable=False))  # sleeve, instrument, file, process
    action: str = Field(default="", sa_column=Column(Text, nullable=False))  # what to do
    runbook: str = ""
    event: str = ""  # id of the journal event that shows it
    numbers: str = Field(default="{}", sa_column=_json())
    since_ms: int = Field(sa_column=_ms())  # wall time since when it has been wrong, as far as known
    opened_ms: int = Field(sa_column=_ms(index=True))
    seen_ms: int = Field(sa_column=_ms())  # the last check that found it
    repeats: int = 0  # checks that found it again
    escalations: int = 0
    escalated_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    acked_by: str | None = Field(default=None, sa_column=Column(Text, nullable=True))  # JSON of the actor
    acked_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    resolved_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))


class Delivery(SQLModel, table=True):
    """One message to one sink, waiting or sent: a step of an alert, a proposal's card, a handover. Each exactly once."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("one_delivery_a_step", "subject", "step", "sink", unique=True),)
    id: int | None = Field(default=None, primary_key=True)
    subject: str  # al-3 | prop-2 | handover 2026-11-20
    step: str  # opened | raised | escalated-1 | resolved | card | decided | handover
    sink: str  # slack
    state: str = Field(default="waiting", index=True)  # waiting | sent | failed | dropped
    attempts: int = 0
    created_ms: int = Field(sa_column=_ms(index=True))
    due_ms: int = Field(sa_column=_ms())  # not before: quiet hours, a wait after a failure
    sent_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
    error: str = Field(default="", sa_column=Column(Text, nullable=False))
    ref: str = ""  # where it is at the sink: channel and time stamp


class Handover(SQLModel, table=True):
    """One morning's handover, made by code; its journal heads anchor both journals."""

    __tablename__ = "handovers"
    day: str = Field(primary_key=True)  # 2026-11-20, the UTC day it was made on
    created_ms: int = Field(sa_column=_ms())
    text: str = Field(sa_column=Column(Text, nullable=False))
    body: str = Field(default="{}", sa_column=_json())


class SlackRequest(SQLModel, table=True):
    """A signed request of Slack that was taken, so that the same one is taken only once."""

    __tablename__ = "slack_requests"
    digest: str = Field(primary_key=True)
    seen_ms: int = Field(sa_column=_ms(index=True))


class LevelWatch(SQLModel, table=True):
    """A level that a person wants to hear about: asked for in a chat or added, confirmed once, removed once."""

    __tablename__ = "watches"
    id: str = Field(primary_key=True)  # w-3
    metric: str  # price | day_pnl | equity
    subject: str  # an instrument, a sleeve, or desk
    beyond: str  # below | above
    level: float
    state: str = Field(default="asked", index=True)  # asked | active | removed
    asked_by: str = Field(default="{}", sa_column=_json())
    asked_ms: int = Field(sa_column=_ms())
    decided_by: str | None = Field(default=None, sa_column=Column(Text, nullable=True))  # who confirmed or removed it
    decided_ms: int | None = Field(default=None, sa_column=_ms(nullable=True))
