// JSON files of a model directory, read with limits so that a hostile one cannot exhaust memory.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { SafeInferError } from '@safeinfer/backend';

export type JsonObject = Readonly<Record<string, unknown>>;

export interface JsonLimits {
  /** Largest file, in bytes; a caller states why its own file stays below. */
  readonly maxBytes: number;
}

/** Real model files nest about 10 levels; recursion over a parsed file must stay shallow. */
const maxDepth = 64;
/** `[[],[],...` parses to about 15 times its size: the number of objects is what costs memory. */
const maxContainers = 4_000_000;

/** Whether a parsed value is an object (not null, not an array). */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The refusal of an unreadable or malformed file of a model directory. */
export function badJsonFile(path: string, reason: string, cause?: unknown): SafeInferError {
  return new SafeInferError(`${path}: ${reason}`, {
    code: 'BAD_FILE',
    hint: 'download the file again, or compare it with the one on the Hub',
    cause,
  });
}

/**
 * Reads a JSON file whose top level is an object; `undefined` when there is no such file.
 *
 * @throws SafeInferError `BAD_FILE`: not a regular file, too large, not UTF-8, not JSON, nested too
 *   deeply, or not an object
 */
export async function readJsonFile(
  path: string,
  limits: JsonLimits,
): Promise<JsonObject | undefined> {
  const bytes = await readLimited(path, limits.maxBytes);
  if (bytes === undefined) return undefined;
  checkStructure(path, bytes);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw badJsonFile(path, 'it is not UTF-8', cause);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badJsonFile(path, `it is not JSON (${reason.slice(0, 200)})`, cause);
  }
  if (!isJsonObject(value)) throw badJsonFile(path, 'its top level is not an object');
  return value;
}

/** Reads a whole text file within a limit; `undefined` when there is no such file. */
export async function readTextFile(path: string, limits: JsonLimits): Promise<string | undefined> {
  const bytes = await readLimited(path, limits.maxBytes);
  if (bytes === undefined) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw badJsonFile(path, 'it is not UTF-8', cause);
  }
}

async function readLimited(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  // Not blocking: opening a pipe that nobody writes to would wait for ever.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return undefined;
      throw badJsonFile(path, `it cannot be read (${cause.code ?? cause.message})`, cause);
    },
  );
  if (handle === undefined) return undefined;
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw badJsonFile(path, 'it is not a regular file');
    if (found.size > maxBytes) {
      throw badJsonFile(path, `it holds ${found.size} bytes, more than ${maxBytes}`);
    }
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** One pass over the bytes, before `JSON.parse` builds anything. */
function checkStructure(path: string, bytes: Uint8Array): void {
  let depth = 0;
  let containers = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (inString) {
      if (byte === 0x5c) i += 1;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) {
      inString = true;
    } else if (byte === 0x5b || byte === 0x7b) {
      depth += 1;
      containers += 1;
      if (depth > maxDepth) throw badJsonFile(path, `it nests deeper than ${maxDepth} levels`);
      if (containers > maxContainers) {
        throw badJsonFile(path, `it holds more than ${maxContainers} objects and arrays`);
      }
    } else if (byte === 0x5d || byte === 0x7d) {
      depth -= 1;
    }
  }
}
