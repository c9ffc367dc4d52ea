// The refusal of a malformed safetensors file.
import { SafeInferError } from '@safeinfer/backend';

/** The refusal of a malformed file; `reason` completes "not a valid safetensors file: ...". */
export function badSafetensors(reason: string, path?: string): SafeInferError {
  const where = path === undefined ? '' : `${path}: `;
  return new SafeInferError(`${where}not a valid safetensors file: ${reason}`, {
    code: 'BAD_FILE',
    hint: 'download the file again, or write it again with the safetensors library',
  });
}

/** A name as it can stand in a message: quoted, escaped, and cut so that it cannot flood a log. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 117)}...` : name);
}
