// The error of a file that is not what it should be.
import { SafeInferError } from '@safeinfer/backend';

export function badFile(what: string, hint: string, cause?: unknown): SafeInferError {
  return new SafeInferError(what, { code: 'BAD_FILE', hint, ...(cause ? { cause } : {}) });
}
