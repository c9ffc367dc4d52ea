// Bearer keys from a file, compared in constant time.
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { SafeInferError } from '@safeinfer/backend';

/** Shorter keys can be guessed over a network. */
const SHORTEST = 16;

export interface BearerKeys {
  /** Whether an Authorization header carries one of the keys. */
  allow(header: string | undefined): boolean;
}

/** One key a line; empty lines and lines that start with # are left out. */
export function readBearerKeys(file: string): BearerKeys {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SafeInferError(`cannot read the key file: ${(cause as Error).message}`, {
      code: 'NOT_FOUND',
      hint: 'one key a line',
      cause,
    });
  }
  const keys = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.length === 0 || keys.some((key) => key.length < SHORTEST)) {
    throw new SafeInferError(
      `the key file has no key, or one of fewer than ${SHORTEST} characters`,
      {
        code: 'BAD_CONFIG',
        hint: 'make one with: openssl rand -hex 24',
      },
    );
  }
  return bearerKeys(keys);
}

export function bearerKeys(keys: readonly string[]): BearerKeys {
  const known = keys.map(digest);
  return {
    allow(header) {
      const [, given = ''] = /^Bearer +(\S+)$/i.exec(header ?? '') ?? [];
      const own = digest(given);
      // Digests have one length, and every key is compared whatever the first ones say.
      return known.map((key) => timingSafeEqual(key, own)).includes(true);
    },
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
