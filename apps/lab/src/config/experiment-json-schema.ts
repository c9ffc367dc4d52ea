// The published JSON Schema of experiment files: editors complete and check with it.
import { z } from 'zod';
import { experimentFileSchema } from './experiment-schema.ts';

export function experimentJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(experimentFileSchema, { io: 'input' });
  return { $schema, title: 'SafeInfer experiment', ...rest };
}
