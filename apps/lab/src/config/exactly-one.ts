// An object in which exactly one of several recipes is given: better messages than a union of objects.
import { z } from 'zod';

type Optional<S extends z.core.$ZodLooseShape> = { [K in keyof S]: z.ZodOptional<S[K]> };

/** A strict object of optional members, of which one and only one must be present. */
export function exactlyOne<const S extends Readonly<Record<string, z.ZodType>>>(
  shape: S,
): z.ZodObject<Optional<S>, z.core.$strict> {
  const optional = Object.fromEntries(
    Object.entries(shape).map(([key, schema]) => [key, schema.optional()]),
  ) as Optional<S>;
  const names = Object.keys(shape).join(', ');
  return z
    .strictObject(optional)
    .refine((value) => Object.values(value).filter((part) => part !== undefined).length === 1, {
      error: `name exactly one of: ${names}`,
    });
}
