// From vocabulary entries back to text, one token at a time and exactly as the Rust library does it.
import { isJsonObject, type JsonObject } from '../loading/read-json.ts';

/**
 * One stage of a decoder: takes vocabulary entries, gives pieces of text as soon as no later token
 * can change them. All pieces of `push` and then `flush`, joined, are the decoded text.
 */
export interface DecoderStage {
  push(token: string): readonly string[];
  flush(): readonly string[];
}

/**
 * Builds the stages of a `decoder` entry of tokenizer.json; `undefined` for a chain that cannot be
 * decoded token by token (WordPiece, CTC and other decoders of encoder models).
 * Reference: tokenizers/src/decoders and src/pre_tokenizers/byte_level.rs of huggingface/tokenizers.
 */
export function createDecoderStages(config: unknown): (() => DecoderStage[]) | undefined {
  const parts = flatten(config);
  if (parts === undefined) return undefined;
  const factories: (() => DecoderStage)[] = [];
  let fused = false;
  for (const part of parts) {
    const factory = stageFactory(part, fused);
    if (factory === undefined) return undefined;
    if (part['type'] === 'Fuse') fused = true;
    factories.push(factory);
  }
  return () => factories.map((factory) => factory());
}

/** Runs one token through all stages. */
export function pushThrough(stages: readonly DecoderStage[], token: string): string {
  let tokens: readonly string[] = [token];
  for (const stage of stages) tokens = tokens.flatMap((piece) => stage.push(piece));
  return tokens.join('');
}

/** Ends the text: every stage gives what it still holds to the next one. */
export function flushThrough(stages: readonly DecoderStage[]): string {
  let tokens: readonly string[] = [];
  for (const stage of stages) {
    tokens = [...tokens.flatMap((piece) => stage.push(piece)), ...stage.flush()];
  }
  return tokens.join('');
}

function flatten(config: unknown): JsonObject[] | undefined {
  if (!isJsonObject(config)) return undefined;
  if (config['type'] !== 'Sequence') return [config];
  const parts = config['decoders'];
  if (!Array.isArray(parts)) return undefined;
  const flat = parts.map(flatten);
  return flat.includes(undefined) ? undefined : flat.flatMap((part) => part ?? []);
}

function stageFactory(config: JsonObject, fused: boolean): (() => DecoderStage) | undefined {
  switch (config['type']) {
    case 'ByteLevel':
      return fused ? undefined : byteLevelStage;
    case 'ByteFallback':
      return fused ? undefined : byteFallbackStage;
    case 'Fuse':
      // Pieces are joined at the end in any case; what changes is that Strip now sees one text.
      return mapStage((token) => token);
    case 'Replace':
      return fused ? undefined : replaceStage(config);
    case 'Metaspace':
      return fused ? undefined : metaspaceStage(config);
    case 'Strip':
      return stripStage(config, fused);
    default:
      return undefined;
  }
}

function mapStage(map: (token: string) => string): () => DecoderStage {
  return () => ({ push: (token) => [map(token)], flush: () => [] });
}

/** GPT-2's table: printable bytes stand for themselves, the others for 256, 257, ... in order. */
export const byteOfCharacter: ReadonlyMap<string, number> = byteTable();

function byteTable(): Map<string, number> {
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) ||
    (byte >= 0xa1 && byte <= 0xac) ||
    (byte >= 0xae && byte <= 0xff);
  const table = new Map<string, number>();
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    table.set(String.fromCharCode(printable(byte) ? byte : next++), byte);
  }
  return table;
}

function byteLevelStage(): DecoderStage {
  // A decoder in stream mode holds back an incomplete sequence and replaces a broken one as Rust does.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const encoder = new TextEncoder();
  return {
    push: (token) => {
      const bytes: number[] = [];
      for (const character of token) {
        const byte = byteOfCharacter.get(character);
        // One character outside the table makes the whole entry literal text (added tokens).
        if (byte === undefined) return [decoder.decode(encoder.encode(token), { stream: true })];
        bytes.push(byte);
      }
      return [decoder.decode(Uint8Array.from(bytes), { stream: true })];
    },
    flush: () => [decoder.decode()],
  };
}

const byteToken = /^<0x([0-9A-Fa-f]{2})>$/;

/**
 * `<0xE4>` entries are bytes. A run of them is text only if the whole run is UTF-8; otherwise every
 * byte of it becomes U+FFFD. So a run is held back until it ends.
 */
function byteFallbackStage(): DecoderStage {
  let run: number[] = [];
  const endRun = (): readonly string[] => {
    if (run.length === 0) return [];
    const bytes = Uint8Array.from(run);
    run = [];
    try {
      return [new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)];
    } catch {
      return ['\ufffd'.repeat(bytes.length)];
    }
  };
  return {
    push: (token) => {
      const hex = byteToken.exec(token)?.[1];
      if (hex === undefined) return [...endRun(), token];
      run.push(Number.parseInt(hex, 16));
      return [];
    },
    flush: endRun,
  };
}

function replaceStage(config: JsonObject): (() => DecoderStage) | undefined {
  const { pattern, content } = config;
  const literal = isJsonObject(pattern) ? pattern['String'] : undefined;
  if (typeof literal !== 'string' || literal === '' || typeof content !== 'string')
    return undefined;
  return mapStage((token) => token.replaceAll(literal, () => content));
}

function metaspaceStage(config: JsonObject): (() => DecoderStage) | undefined {
  const { replacement = '\u2581', prepend_scheme: scheme, add_prefix_space: prefix } = config;
  if (typeof replacement !== 'string' || replacement === '') return undefined;
  const keepFirst = scheme === 'never' || (scheme === undefined && prefix === false);
  return () => {
    let first = true;
    return {
      push: (token) => {
        const space = first && !keepFirst ? '' : ' ';
        first = false;
        return [token.replaceAll(replacement, space)];
      },
      flush: () => [],
    };
  };
}

function stripStage(config: JsonObject, fused: boolean): (() => DecoderStage) | undefined {
  const { content = ' ', start = 0, stop = 0 } = config;
  if (typeof content !== 'string' || [...content].length !== 1) return undefined;
  if (!isCount(start) || !isCount(stop)) return undefined;
  if (!fused) return mapStage((token) => stripped(token, { content, start, stop }));
  // What a later token may turn into the end of the text is held back; no real file asks for it.
  if (stop > 0) return undefined;
  return () => {
    let left = start;
    return {
      push: (token) => {
        if (left === 0 || token === '') return [token];
        const rest = stripped(token, { content, start: left, stop: 0 });
        const cut = (token.length - rest.length) / content.length;
        // Once another character has come, nothing more is leading.
        left = rest === '' ? left - cut : 0;
        return [rest];
      },
      flush: () => [],
    };
  };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function stripped(
  token: string,
  rule: { readonly content: string; readonly start: number; readonly stop: number },
): string {
  let text = token;
  for (let i = 0; i < rule.start && text.startsWith(rule.content); i++) {
    text = text.slice(rule.content.length);
  }
  for (let i = 0; i < rule.stop && text.endsWith(rule.content); i++) {
    text = text.slice(0, text.length - rule.content.length);
  }
  return text;
}
