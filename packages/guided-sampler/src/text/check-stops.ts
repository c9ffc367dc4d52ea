// Refuses stop strings that can never match, before a generation runs to its limit because of them.
import { SafeInferError } from '@safeinfer/backend';
import type { TextCodec } from '@safeinfer/transformer';

function refuse(message: string, hint: string): never {
  throw new SafeInferError(message, { code: 'BAD_ARGUMENT', hint });
}

/** @throws BAD_ARGUMENT for empty strings, no tokenizer, or text that this tokenizer cannot produce. */
export function checkStops(stops: readonly string[], codec: TextCodec | undefined): void {
  for (const stop of stops) {
    if (stop === '')
      refuse('an empty stop string', 'it would stop every answer before its first token');
    if (codec === undefined) {
      refuse(
        'stop strings for a model without a tokenizer',
        'use stopTokens, or load the tokenizer with the model',
      );
    }
    if (/\p{Surrogate}/u.test(stop)) {
      refuse(
        `stop string ${JSON.stringify(stop)} has half a surrogate pair`,
        'decoded text never contains one',
      );
    }
    const inside = codec.decode(codec.encode(`a${stop}a`));
    const alone = codec.decode(codec.encode(stop));
    if (!inside.includes(stop) && !alone.includes(stop)) {
      refuse(
        `stop string ${JSON.stringify(stop)} can never appear`,
        'this tokenizer cannot produce that text',
      );
    }
  }
}
