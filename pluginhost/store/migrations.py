"""How the desk's database came to its form: script n brings it from version n to n + 1. What was released is never changed.

Newer tables have their first script beside what reads and writes them; here is their order.
"""

from __future__ import annotations

from . import archive, cases, incidents, mutes, notifications, rollups, words

__all__ = ["MIGRATIONS"]

MIGRATIONS = (
    """
    CREATE TABLE positions (shard INTEGER PRIMARY KEY, position INTEGER NOT NULL);
    CREATE TABLE alerts (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, created INTEGER NOT NULL,
                         severity TEXT NOT NULL, analyzer TEXT NOT NULL, fingerprint TEXT NOT NULL, sequence INTEGER NOT NULL,
                         status TEXT NOT NULL DEFAULT 'open', headline TEXT NOT NULL, document BLOB NOT NULL);
    CREATE INDEX alerts_by_time ON alerts (time, seq);
    CREATE INDEX alerts_by_created ON alerts (created);
    CREATE INDEX alerts_by_analyzer ON alerts (analyzer, severity, time, seq);
    CREATE TABLE groups (fingerprint TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE outbox (output TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL DEFAULT 'alert',
                         attempts INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL,
                         error TEXT NOT NULL DEFAULT '', PRIMARY KEY (output, seq, kind)) WITHOUT ROWID;
    CREATE INDEX outbox_by_due ON outbox (output, due);
    CREATE TABLE deliveries (output TEXT PRIMARY KEY, delivered INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
    CREATE TABLE dead_letters (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, stage TEXT NOT NULL,
                               reason TEXT NOT NULL, source TEXT NOT NULL, body BLOB NOT NULL, size INTEGER NOT NULL);
    CREATE TABLE letter_totals (held INTEGER NOT NULL, bytes INTEGER NOT NULL, dropped INTEGER NOT NULL);
    INSERT INTO letter_totals VALUES (0, 0, 0);
    """,
    """
    ALTER TABLE groups ADD COLUMN touched INTEGER NOT NULL DEFAULT 0;
    UPDATE groups SET touched = CAST(strftime('%s', 'now') AS INTEGER) * 1000000000;
    CREATE INDEX groups_by_touched ON groups (touched);
    ALTER TABLE outbox ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
    UPDATE outbox SET size = COALESCE((SELECT LENGTH(document) FROM alerts WHERE alerts.seq = outbox.seq), 0);
    CREATE TABLE waiting (output TEXT PRIMARY KEY, held INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO waiting SELECT output, COUNT(*), SUM(size) FROM outbox GROUP BY output;
    CREATE TRIGGER outbox_in AFTER INSERT ON outbox BEGIN
        INSERT INTO waiting VALUES (NEW.output, 1, NEW.size)
        ON CONFLICT (output) DO UPDATE SET held = held + 1, bytes = bytes + excluded.bytes;
    END;
    CREATE TRIGGER outbox_out AFTER DELETE ON outbox BEGIN
        UPDATE waiting SET held = held - 1, bytes = bytes - OLD.size WHERE output = OLD.output;
    END;
    """,
    """
    ALTER TABLE alerts ADD COLUMN suppressed TEXT NOT NULL DEFAULT '';
    CREATE INDEX alerts_told ON alerts (time, seq) WHERE suppressed = '';
    CREATE INDEX alerts_suppressed ON alerts (time, seq) WHERE suppressed <> '';
    CREATE TABLE suppressions (reason TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE risks (kind TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, rank REAL NOT NULL, state BLOB NOT NULL,
                        PRIMARY KEY (kind, name)) WITHOUT ROWID;
    CREATE INDEX risks_by_at ON risks (at, kind, name);
    CREATE INDEX risks_by_rank ON risks (kind, rank);
    CREATE TABLE risk_totals (held INTEGER NOT NULL);
    INSERT INTO risk_totals VALUES (0);
    CREATE TRIGGER risk_in AFTER INSERT ON risks BEGIN UPDATE risk_totals SET held = held + 1; END;
    CREATE TRIGGER risk_out AFTER DELETE ON risks BEGIN UPDATE risk_totals SET held = held - 1; END;
    CREATE TABLE risk_overrides (kind TEXT NOT NULL, name TEXT NOT NULL, level TEXT NOT NULL, until INTEGER NOT NULL, at INTEGER NOT NULL,
                                 author TEXT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;
    """,
    """
    CREATE TABLE scores (seq INTEGER PRIMARY KEY AUTOINCREMENT, output TEXT NOT NULL, id TEXT NOT NULL, time INTEGER NOT NULL,
                         created INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL, analyzer TEXT NOT NULL,
                         document BLOB NOT NULL);
    CREATE INDEX scores_by_output ON scores (output, seq);
    CREATE INDEX scores_by_due ON scores (output, due);
    CREATE TABLE scores_waiting (output TEXT PRIMARY KEY, held INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TRIGGER scores_in AFTER INSERT ON scores BEGIN
        INSERT INTO scores_waiting VALUES (NEW.output, 1, LENGTH(NEW.document))
        ON CONFLICT (output) DO UPDATE SET held = held + 1, bytes = bytes + excluded.bytes;
    END;
    CREATE TRIGGER scores_out AFTER DELETE ON scores BEGIN
        UPDATE scores_waiting SET held = held - 1, bytes = bytes - LENGTH(OLD.document) WHERE output = OLD.output;
    END;
    CREATE TABLE score_minutes (minute INTEGER NOT NULL, analyzer TEXT NOT NULL, held INTEGER NOT NULL,
                                PRIMARY KEY (minute, analyzer)) WITHOUT ROWID;
    """,
    """
    ALTER TABLE groups ADD COLUMN ends INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX groups_ending ON groups (ends) WHERE ends > 0;
    CREATE INDEX alerts_by_group ON alerts (fingerprint, seq);
    """,
    cases.SCRIPT,
    incidents.SCRIPT,
    mutes.SCRIPT,
    notifications.SCRIPT,
    rollups.SCRIPT,
    words.SCRIPT,
    archive.SCRIPT,
)
