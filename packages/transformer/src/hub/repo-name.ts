// Names of models on the Hub, checked before they become paths or addresses.
import { SafeInferError } from '@safeinfer/backend';

/** A model at a revision; both have been checked. */
export interface ModelReference {
  /** `org/name`, or `name` alone for the oldest models. */
  readonly repo: string;
  /** A branch, a tag, a pull request (`refs/pr/1`) or a 40-digit commit. */
  readonly revision: string;
}

function bad(message: string): SafeInferError {
  return new SafeInferError(message, {
    code: 'BAD_ARGUMENT',
    hint: 'a model is org/name as on the Hub, or the path of a directory; a revision is a branch, tag or commit',
  });
}

/** The rules of `huggingface_hub/utils/_validators.py`. Throws `BAD_ARGUMENT`. */
export function modelReference(repo: string, revision = 'main'): ModelReference {
  const parts = repo.split('/');
  const valid =
    parts.length <= 2 &&
    repo.length <= 96 &&
    parts.every((part) => /^\w(?:[\w.-]*\w)?$/.test(part)) &&
    !repo.includes('--') &&
    !repo.includes('..') &&
    !repo.endsWith('.git');
  if (!valid) throw bad(`${JSON.stringify(repo)} is not the name of a model`);
  if (!isRelativePath(revision)) throw bad(`${JSON.stringify(revision)} is not a revision`);
  return { repo, revision };
}

/** Whether a path from elsewhere stays below the folder it is joined to, on every system. */
export function isRelativePath(path: string): boolean {
  return (
    path.length > 0 &&
    path.length <= 1024 &&
    !/[\\:\p{Cc}]/u.test(path) &&
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

/** Whether a revision is a commit, which never changes what it names. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}
