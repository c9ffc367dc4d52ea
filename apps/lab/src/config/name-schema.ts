// Names of arms, edits and benchmarks: they appear in tables and in file names.
import { z } from 'zod';

export const name: z.ZodString = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9 _.+=-]*$/,
    'a name starts with a letter or digit and holds letters, digits, space, _ . + - =',
  );
