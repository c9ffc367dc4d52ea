// The store's tables, as a list of migrations: a store of an older version is brought forward, a newer one refused.

/** Index + 1 is the schema version a migration leads to. Never edit one that was released. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE content (
     key TEXT PRIMARY KEY,
     value TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;`,
];
