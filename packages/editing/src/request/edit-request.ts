// One fact to rewrite: a prompt with a hole for the subject, and the object it should lead to.
import { SafeInferError } from '@safeinfer/backend';

export interface EditRequest {
  /**
   * Text that ends right before the object and its space, with exactly one `{}` where the subject stands, or with the subject
   * itself written out exactly once.
   */
  readonly prompt: string;
  readonly subject: string;
  /** The new object, with or without its leading space (one is added, as the reference does). */
  readonly targetNew: string;
  /** Free identifier kept in the edit's record. */
  readonly id?: string;
}

/** Which token of the prompt the key is read at. `subjectLast` is the published choice. */
export type FactToken = 'subjectLast' | 'last';

/** Returns the request with one hole and a normalised target. @throws BAD_ARGUMENT naming the field. */
export function checkRequest(request: EditRequest): EditRequest {
  const { subject, targetNew } = request;
  if (subject.trim() === '') throw refuse('the subject is empty', 'name the subject');
  if (subject !== subject.trim()) {
    throw refuse(
      `the subject ${JSON.stringify(subject)} has spaces around it`,
      "leave them out: the fact is looked up at the subject's last token, which would be a space",
    );
  }
  if (targetNew.trim() === '') throw refuse('the target is empty', 'name the new object');
  if (targetNew.includes('{}')) {
    throw refuse(`the target ${JSON.stringify(targetNew)} has a hole`, 'give the object as text');
  }
  if (/[ \t]$/.test(request.prompt)) {
    throw refuse(
      `the prompt ${JSON.stringify(request.prompt)} ends in a space`,
      'leave it out: the target brings its own, and two in a row are other tokens than any text has',
    );
  }
  const target = targetNew.startsWith(' ') ? targetNew : ` ${targetNew}`;
  return { ...request, prompt: withHole(request), targetNew: target };
}

function withHole({ prompt, subject }: EditRequest): string {
  const holes = prompt.split('{}').length - 1;
  if (holes === 1) return prompt;
  const where = `prompt ${JSON.stringify(prompt)}`;
  if (holes > 1) {
    throw refuse(`${where} has ${holes} holes`, 'write {} once: "{} is the capital of"');
  }
  // The reference replaces every occurrence and then fails on the count; say which of the two it is.
  const occurrences = prompt.split(subject).length - 1;
  if (occurrences === 1) return prompt.replace(subject, () => '{}');
  if (occurrences === 0) {
    throw refuse(
      `${where} has no {} and does not contain the subject ${JSON.stringify(subject)}`,
      'write {} where the subject stands, or spell the subject as in the prompt',
    );
  }
  throw refuse(
    `${where} contains the subject ${JSON.stringify(subject)} ${occurrences} times`,
    'write {} at the occurrence that is looked up',
  );
}

function refuse(message: string, hint: string): SafeInferError {
  return new SafeInferError(`edit request: ${message}`, { code: 'BAD_ARGUMENT', hint });
}
