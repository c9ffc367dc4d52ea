// Parquet to rows, through hyparquet: what the hub serves for most sets.
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { HarmEvalError } from '../harm-eval-error.ts';
import type { SourceRow } from './row.ts';

/** Reads all rows. Throws `BAD_FILE` for a truncated file, a wrong magic number or a codec that is not supported. */
export async function readParquet(bytes: Uint8Array, file = 'parquet bytes'): Promise<SourceRow[]> {
  try {
    const buffer = bytes.buffer.slice(
      bytes.byteOffset,
      bytes.byteOffset + bytes.byteLength,
    ) as ArrayBuffer;
    const objects = await parquetReadObjects({ file: buffer, compressors });
    return objects.map((cells, index) => ({ cells, row: index + 1 }));
  } catch (error) {
    throw new HarmEvalError(`${file}: not a readable parquet file`, {
      code: 'BAD_FILE',
      hint: 'the file is truncated, is not parquet, or uses an unknown codec: fetch it again',
      location: { file },
      cause: error,
    });
  }
}
