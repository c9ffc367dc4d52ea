// The bad input that the editors refuse, as data: what, with which code and remedy, shown by which test.
import { type TestName, t } from './checks.ts';

const BATCH = 'src/batch/batch.test.ts';
const MOMENT = 'src/second-moment/second-moment.test.ts';
const SESSION = 'src/session/edit-session.test.ts';
const GUARDS = 'src/session/session-guards.test.ts';
const LOOKUP = 'src/request/lookup-index.test.ts';
const REQUEST = 'src/request/edit-request.test.ts';

export interface BadInput {
  readonly input: string;
  readonly code: string;
  readonly remedy: string;
  readonly test: TestName;
}

export const BAD_INPUT: readonly BadInput[] = [
  {
    input: 'subject not in the prompt',
    code: 'BAD_ARGUMENT',
    remedy: 'write {} where the subject stands, or spell it as in the prompt',
    test: t(REQUEST, 'refuses %j'),
  },
  {
    input: 'several subjects, several holes',
    code: 'BAD_ARGUMENT',
    remedy: 'write {} at the occurrence that is looked up',
    test: t(REQUEST, 'refuses %j'),
  },
  {
    input: 'empty target or subject, spaces around the subject, a prompt that ends in a space',
    code: 'BAD_ARGUMENT',
    remedy: 'name it; leave the spaces out',
    test: t(REQUEST, 'refuses %j'),
  },
  {
    input: 'target without its space',
    code: 'none: one is added, as in the reference, and the record shows it',
    remedy: 'nothing to do',
    test: t(REQUEST, 'adds the space before the target, once'),
  },
  {
    input:
      'start token inside prompt or target, target that the tokenizer cannot write, prompt and target merged',
    code: 'BAD_TOKENIZER with the token table',
    remedy: 'leave special tokens to the tokenizer',
    test: t(LOOKUP, 'refuses start tokens in prompt and target, with the token table'),
  },
  {
    input: 'subject merged with the text behind it; a last token that holds nothing of it',
    code: 'BAD_ARGUMENT, BAD_TOKENIZER with the token table',
    remedy: 'a space or punctuation behind {}; or factToken "last"',
    test: t(
      LOOKUP,
      'refuses a subject that the tokenizer merges with the text behind it, with the token table',
    ),
  },
  {
    input: 'singular C',
    code: 'SINGULAR',
    remedy: 'more tokens than the MLP is wide, or the identity',
    test: t(MOMENT, 'names the remedy for a singular matrix, a wrong size and damaged numbers'),
  },
  {
    input: 'quantised weights',
    code: 'UNSUPPORTED',
    remedy: "a session in mode 'sidePath', or weights: 'float32'",
    test: t(
      'src/session/rounded-weights.test.ts',
      'refuses to edit weights and names the remedy, which works',
    ),
  },
  {
    input: 'missing statistics; layers that do not exist or do not ascend; bad settings',
    code: 'NOT_FOUND, BAD_ARGUMENT',
    remedy: 'collectMoments or a file; a layer of the model',
    test: t(BATCH, '%s'),
  },
  {
    input: 'MEMIT, EMMET, AlphaEdit on post-norm blocks (Gemma 2 and 3, OLMo 2)',
    code: 'UNSUPPORTED',
    remedy: 'rome or pmet',
    test: t(GUARDS, 'MEMIT on blocks that normalise what the MLP writes'),
  },
  {
    input: 'a taken id, two edits at once, fine-tuning on a side path, drift texts of one token',
    code: 'BAD_ARGUMENT, BUSY, UNSUPPORTED, before any work',
    remedy: 'each names its own',
    test: t(
      GUARDS,
      'two edits at once, a taken id, fine-tuning on a side path, drift texts without a prediction',
    ),
  },
  {
    input:
      'deltas with NaN or infinity, factors that do not pair, a ROME update divided by nothing',
    code: 'NON_FINITE, BAD_ARGUMENT',
    remedy: 'lower the learning rate; whole factors',
    test: t(GUARDS, 'ROME refuses an update divided by nothing'),
  },
  {
    input: "undoing an edit under another session's later one",
    code: 'WRONG_MODEL',
    remedy: 'take the later change back first, or one session a model',
    test: t(
      GUARDS,
      "never drop each other's edits: undoing the earlier one first is refused, in reverse order it is exact",
    ),
  },
  {
    input: 'another model, a damaged or foreign file',
    code: 'WRONG_MODEL, BAD_FILE, NOT_FOUND',
    remedy: 'the model, unedited, that the session was saved from',
    test: t(SESSION, 'refuses a session of another model and a file that holds none'),
  },
  {
    input: 'a session file without hashes, of an unknown kind, with null deltas',
    code: 'BAD_FILE',
    remedy: 'a file that EditSession.save wrote',
    test: t(GUARDS, '%s are refused'),
  },
  {
    input: 'a value whose search runs away; an aborted edit, in any phase of any editor',
    code: 'NON_FINITE, ABORTED; weights and memory as before',
    remedy: 'lower the learning rate or the clamp',
    test: t(GUARDS, '%s, when the search runs away'),
  },
];
