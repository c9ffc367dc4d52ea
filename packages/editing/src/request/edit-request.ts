// One fact to rewrite: a prompt with a hole for the subject, and the object it should lead to.
import { SafeInferError } from '@safeinfer/backend';

export interface EditRequest {
  /** Text with exactly one `{}` where the subject stands, ending right before the object. */
  readonly prompt: string;
  readonly subject: string;
  /** The new object, with or without its leading space (one is added, as the reference does). */
  readonly targetNew: string;
  /** Free identifier kept in the edit's record. */
  readonly id?: string;
}

/** Which token of the prompt the key is read at. `subjectLast` is the published choice. */
export type FactToken = 'subjectLast' | 'last';

/** Returns the request with a normalised target. @throws BAD_ARGUMENT naming the field. */
export function checkRequest(request: EditRequest): EditRequest {
  const holes = request.prompt.split('{}').length - 1;
  if (holes !== 1) {
    throw refuse(
      `prompt ${JSON.stringify(request.prompt)} has ${holes} holes`,
      'write the subject as exactly one {}: "{} is the capital of"',
    );
  }
  if (request.subject.trim() === '') throw refuse('the subject is empty', 'name the subject');
  if (request.targetNew.trim() === '') throw refuse('the target is empty', 'name the new object');
  const target = request.targetNew.startsWith(' ') ? request.targetNew : ` ${request.targetNew}`;
  return { ...request, targetNew: target };
}

function refuse(message: string, hint: string): SafeInferError {
  return new SafeInferError(`edit request: ${message}`, { code: 'BAD_ARGUMENT', hint });
}
