// Which keys a zod schema knows at a path: for suggestions beside an unknown one.
import type { z } from 'zod';

/** The parts of zod's definitions that lead to keys. */
interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly element?: z.core.$ZodType;
  readonly innerType?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
}

/** Keys of every object that may stand at `path`; empty where none does. */
export function knownKeys(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const definition = schema._zod.def as unknown as Definition;
  const { innerType, options } = definition;
  if (innerType) return knownKeys(innerType, path);
  if (definition.in) return knownKeys(definition.in, path);
  if (options) return options.flatMap((option) => knownKeys(option, path));
  const { shape, element, valueType } = definition;
  const [head, ...rest] = path;
  if (head === undefined) return shape ? Object.keys(shape) : [];
  const next = shape?.[String(head)] ?? element ?? valueType;
  return next ? knownKeys(next, rest) : [];
}
