"""The tables of a people file, all in one place.

A confirmed face is a fact: only what the user says changes it. Who an unknown face may be is not
stored: it is worked out anew from the confirmed ones whenever somebody asks.
"""

from __future__ import annotations

from typing import Final

APPLICATION: Final = 0x6F705065  # "opPe" in SQLite's header: the file is ours
VERSION: Final = 1
"""Of these tables. A file of a higher one is not touched."""

TABLES: Final = """
CREATE TABLE person (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,                -- NFC, as the user typed it
  folded TEXT NOT NULL UNIQUE        -- the same without cases: Ada and ADA are one
);

CREATE TABLE photograph (
  id INTEGER PRIMARY KEY,
  path BLOB UNIQUE,                  -- absolute, links resolved, as the disk's bytes; NULL where
                                     -- another photograph has taken its name
  size INTEGER NOT NULL,             -- of the file, in bytes
  modified INTEGER NOT NULL,         -- its time, in nanoseconds
  digest BLOB NOT NULL,              -- SHA-256 of the file
  width INTEGER NOT NULL,            -- of the upright photograph, in pixels
  height INTEGER NOT NULL,
  turned INTEGER NOT NULL,           -- see opsin.faces.pipeline.Faces
  looked TEXT NOT NULL               -- with which detector and settings; '' if never
);
CREATE INDEX photograph_digest ON photograph (digest);

CREATE TABLE face (
  id INTEGER PRIMARY KEY,
  photograph INTEGER NOT NULL REFERENCES photograph ON DELETE CASCADE,
  number INTEGER NOT NULL,           -- on its photograph, from 1; it stays
  x1 REAL NOT NULL, y1 REAL NOT NULL, x2 REAL NOT NULL, y2 REAL NOT NULL,
  score REAL,                        -- NULL: no detector found it, a file's metadata told of it
  landmarks BLOB,                    -- ten float32: x, y of the five points
  state TEXT NOT NULL CHECK (state IN ('unknown', 'confirmed', 'ignored')),
  person INTEGER REFERENCES person,
  source TEXT NOT NULL,              -- who said so: 'detector', 'user' or 'metadata'
  UNIQUE (photograph, number),
  CHECK ((state = 'confirmed') = (person IS NOT NULL))
);
CREATE UNIQUE INDEX face_once ON face (photograph, person) WHERE person IS NOT NULL;
CREATE INDEX face_person ON face (person) WHERE person IS NOT NULL;

CREATE TABLE embedding (
  face INTEGER PRIMARY KEY REFERENCES face ON DELETE CASCADE,
  model TEXT NOT NULL,               -- see opsin.faces.recognize.Embeddings.model
  vector BLOB NOT NULL               -- float16, of length 1
);
CREATE INDEX embedding_model ON embedding (model);

CREATE TABLE rejection (             -- "this face is not that person"
  face INTEGER NOT NULL REFERENCES face ON DELETE CASCADE,
  person INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
  PRIMARY KEY (face, person)
) WITHOUT ROWID;

CREATE TABLE grouped (               -- unknown faces that look like one person's
  face INTEGER PRIMARY KEY REFERENCES face ON DELETE CASCADE,
  number INTEGER NOT NULL            -- of the group, from 1; it is never given again
);
CREATE TABLE last_group (number INTEGER NOT NULL);
INSERT INTO last_group VALUES (0);

CREATE TABLE apart (                 -- "these two are not one person"
  face INTEGER NOT NULL REFERENCES face ON DELETE CASCADE,
  other INTEGER NOT NULL REFERENCES face ON DELETE CASCADE,
  PRIMARY KEY (face, other)
) WITHOUT ROWID;

CREATE TABLE change (                -- how often anything that names depend on was changed
  count INTEGER NOT NULL
);
INSERT INTO change VALUES (0);
"""

NAMES_CHANGED: Final = "UPDATE change SET count = count + 1"
