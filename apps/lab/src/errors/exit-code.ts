// What the process says to the shell.

export const EXIT = {
  ok: 0,
  /** The experiment, an argument or the data it names cannot be used; nothing was written. */
  config: 2,
  /** Some trials failed; the report covers the others. */
  partial: 3,
  /** A gate of the experiment failed. */
  gate: 4,
  interrupted: 130,
} as const;
