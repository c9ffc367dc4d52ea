// What is wrong with one of several edits, said with its name.
import { SafeInferError } from '@safeinfer/backend';

/** Does `work`; what it throws names the edit, with the same code and hint. */
export async function namingEdit<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SafeInferError)) throw error;
    const { code, hint } = error;
    throw new SafeInferError(`edit "${name}": ${error.message}`, { code, hint, cause: error });
  }
}
