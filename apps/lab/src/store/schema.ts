// The store's tables, as a list of migrations: a store of an older version is brought forward, a newer one refused.

/** Index + 1 is the schema version a migration leads to. Never edit one that was released. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE content (
     key TEXT PRIMARY KEY,
     value TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  // sha256 of the value: null in entries of version 1. `use`: what a run directory needs, for gc.
  `ALTER TABLE content ADD COLUMN sha256 TEXT;
   CREATE TABLE failure (
     key TEXT PRIMARY KEY,
     class TEXT NOT NULL,
     message TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE memo (
     name TEXT PRIMARY KEY,
     value TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE lease (
     unit TEXT PRIMARY KEY,
     owner TEXT NOT NULL,
     until INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE use (
     run TEXT NOT NULL,
     key TEXT NOT NULL,
     PRIMARY KEY (run, key)
   ) STRICT, WITHOUT ROWID;`,
];
