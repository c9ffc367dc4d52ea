// The numbered checks of this package as data: what is checked, how closely, against which oracle, by which test.

/** A test by file, below the package, and by its title as it is written there. */
export interface TestName {
  readonly file: string;
  readonly title: string;
}

export interface Check {
  readonly number: number;
  readonly what: string;
  readonly tolerance: string;
  readonly oracle: string;
  readonly tests: readonly TestName[];
}

/** Short, because there are a hundred. */
export const t = (file: string, title: string): TestName => ({ file, title });

const ROME = 'src/rome/rome.test.ts';
const PROPERTIES = 'src/rome/rome-properties.test.ts';
const BATCH = 'src/batch/batch.test.ts';
const VALUE = 'src/value/optimise-value.test.ts';
const MOMENT = 'src/second-moment/second-moment.test.ts';
const TRACE = 'src/trace/causal-trace.test.ts';
const SESSION = 'src/session/edit-session.test.ts';
const LOCALITY = 'src/session/write-locality.test.ts';
const GUARDS = 'src/session/session-guards.test.ts';
const METRICS = 'src/evaluate/evaluate.test.ts';
const LOOKUP = 'src/request/lookup-index.test.ts';
const LAYOUTS = 'test/stored-layouts.test.ts';

const FLOAT64 = 'float64 goldens (numpy, torch)';

export const CHECKS: readonly Check[] = [
  {
    number: 1,
    what: "The looked-up token is the subject's last: GPT-2, NeoX, Qwen 2.5, Phi-3, Mistral and a small Llama (both add BOS); accents, Cyrillic, CJK, emoji; subjects that open or end the prompt; behind every template. The target is what continues the prompt",
    tolerance: 'exact',
    oracle:
      'character offsets of Hugging Face tokenizers; control: a SentencePiece target encoded alone',
    tests: [
      t(LOOKUP, 'on %s, of every subject behind every template'),
      t(
        LOOKUP,
        'on %s, a target is what continues the prompt: encoded alone it would begin with a lone space',
      ),
    ],
  },
  {
    number: 2,
    what: 'Templates weigh 1/21 each in ROME; half the bare prompt and a tenth each of five others in MEMIT',
    tolerance: '1e-9',
    oracle: 'weights recovered from the key by least squares',
    tests: [
      t('src/lookup/template-weights.test.ts', 'ROME: 1/21 each'),
      t(
        'src/lookup/template-weights.test.ts',
        'MEMIT: half the bare prompt, a tenth each of five others',
      ),
    ],
  },
  {
    number: 3,
    what: 'C streamed equals C in one go; symmetric, no negative eigenvalue; padding never counts; .npz files of numpy, stored or deflated, there and back',
    tolerance: '1e-6 relative',
    oracle: `${FLOAT64}, numpy savez; control: padding counted`,
    tests: [
      t(MOMENT, 'check 3: equals the float64 moments of every token, streamed in batches'),
      t(
        MOMENT,
        'check 3: rows of different lengths count their own tokens only; padding would be seen',
      ),
      t(MOMENT, 'check 3: reads %s'),
    ],
  },
  {
    number: 4,
    what: 'C u is the averaged key over |C^-1 k|, and u has length 1',
    tolerance: '1e-9',
    oracle: 'the equation itself, in float64',
    tests: [
      t(PROPERTIES, 'checks 4, 12, 14: unit u with C u parallel to k, rank one, least tr(DT C D)'),
    ],
  },
  {
    number: 5,
    what: 'First and second loss and their parts (NLL, KL, decay); KL and decay are 0 at first and have no gradient there; the gradient is finite at delta = 0',
    tolerance: '1e-5 absolute',
    oracle: FLOAT64,
    tests: [
      t(
        VALUE,
        'check 5: loss of %s and its parts: KL and decay are 0 at first, and have no gradient there',
      ),
    ],
  },
  {
    number: 6,
    what: 'The KL runs from the edited to the initial distribution',
    tolerance: '1e-4 relative; swapped > 1 %',
    oracle: `${FLOAT64}; control: the goldens' own search with the KL swapped`,
    tests: [
      t(
        VALUE,
        'check 6: the KL of the swapped direction ends more than 1 % away, ours at the golden',
      ),
    ],
  },
  {
    number: 7,
    what: "One Adam step of delta, and all of them (19 and more); Adam alone against torch.optim.Adam. One component of one case has a gradient of 1.3e-6, where Adam's 1e-8 magnifies float32 rounding: it is held to 1e-4",
    tolerance: '1e-5 one step, 1e-4 all, 1e-12 Adam alone',
    oracle: `${FLOAT64}; control: TensorFlow's epsilon`,
    tests: [
      t(VALUE, 'check 7: delta of %s after one Adam step and after all'),
      t(
        'src/value/adam.test.ts',
        "check 7: 19 steps of torch's Adam on gradients from 1e-9 to 100; TensorFlow's epsilon is told apart",
      ),
    ],
  },
  {
    number: 8,
    what: 'With the clamp active |delta| is clamp times |initial value|',
    tolerance: '1e-6',
    oracle: `${FLOAT64}; control: the search without a clamp`,
    tests: [t(VALUE, 'check 8: with the clamp active |delta| is clamp times |initial value|')],
  },
  {
    number: 9,
    what: 'No step after the loss falls below the stop; at most steps - 1 updates',
    tolerance: 'exact',
    oracle: `number of updates of the ${FLOAT64}; control: one update more`,
    tests: [
      t(VALUE, 'check 9: no step after the loss falls below the stop, at most steps - 1 updates'),
    ],
  },
  {
    number: 10,
    what: 'W_new k + b = v*: the bare key for original ROME, the averaged one for r-ROME',
    tolerance: '1e-5 (float32 forward)',
    oracle: 'the equation itself, read from the edited model',
    tests: [
      t(
        PROPERTIES,
        'check 10: W_new k + b = v*, for the bare key (original) or the averaged one (r-ROME)',
      ),
    ],
  },
  {
    number: 11,
    what: 'Original ROME does not meet v* at the averaged key, nor r-ROME at the bare one',
    tolerance: '> 1 %',
    oracle: 'the edited model',
    tests: [t(PROPERTIES, 'check 11: the original does not meet v* at the averaged key')],
  },
  {
    number: 12,
    what: 'The change has rank one',
    tolerance: '< 1e-6',
    oracle: 'singular values (ml-matrix)',
    tests: [
      t(PROPERTIES, 'checks 4, 12, 14: unit u with C u parallel to k, rank one, least tr(DT C D)'),
    ],
  },
  {
    number: 13,
    what: 'Normalised u and v give the closed form (C^-1 k_mean)(v* - o)T / ((C^-1 k_mean) . k)',
    tolerance: '1e-6',
    oracle:
      'the formula with an LU solve (ml-matrix) and o read before the edit; control: the other key below the line',
    tests: [
      t(
        PROPERTIES,
        '(C^-1 k_mean)(v* - o)T / ((C^-1 k_mean) . k), solved by LU, for each choice of keys',
      ),
    ],
  },
  {
    number: 14,
    what: 'r-ROME is the least tr(DT C D) under its constraint: no slope along any Z with ZT k = 0',
    tolerance: '1e-9',
    oracle: 'five random directions; control: directions that break the constraint',
    tests: [
      t(PROPERTIES, 'checks 4, 12, 14: unit u with C u parallel to k, rank one, least tr(DT C D)'),
    ],
  },
  {
    number: 15,
    what: 'One function stored as Conv1D (GPT-2) and as Linear (GPT-NeoX) gets the same ROME and MEMIT change and the same logits, saved weights are transposes; also with d_in = d_out; GPT-J and Llama layouts keep the constraint',
    tolerance: '1e-6 logits of one delta, 1e-5 own deltas',
    oracle: 'each other, and W_new k + b = v*; control: the transposed change',
    tests: [
      t(LAYOUTS, 'the files differ in orientation and compute the same'),
      t(LAYOUTS, '%s gives the same change and the same logits'),
      t(
        LAYOUTS,
        'W_new k + b = v* in both; the transposed change fits where d_in = d_out and is wrong',
      ),
      t(PROPERTIES, 'a delta changes the MLP output of a %s checkpoint by (k . left) right'),
      t(PROPERTIES, '%s with d_in = d_out'),
    ],
  },
  {
    number: 16,
    what: 'Whole ROME change: four cases (plain, clamped, first-token subject, early stop) by five variants (three key choices, C = I)',
    tolerance: '1e-4 relative, cosine > 0.99999',
    oracle: FLOAT64,
    tests: [t(ROME, 'check 16: whole pipeline of %s, %s')],
  },
  {
    number: 17,
    what: 'Whole MEMIT change: three layers, four edits; likewise its square-root spread, PMET, EMMET, AlphaEdit',
    tolerance: '1e-4 relative, cosine > 0.99999',
    oracle: `${FLOAT64}; controls for PMET: without the attention's shift, without the falling weight`,
    tests: [
      t(BATCH, 'check 17: MEMIT: values, residuals and deltas of three layers; logits after all'),
      t(BATCH, "MEMIT with PMET's spread"),
      t(
        BATCH,
        'PMET: shifts of attention and MLP found together, three layers; both controls fail',
      ),
      t(BATCH, 'EMMET'),
    ],
  },
  {
    number: 18,
    what: "MEMIT's system of the edits' size equals the solve of the MLP's width",
    tolerance: '1e-9',
    oracle: 'LU of the whole matrix (ml-matrix); control: another lambda',
    tests: [t(PROPERTIES, "check 18: MEMIT's small system equals the solve of the MLP's width")],
  },
  {
    number: 19,
    what: 'MEMIT of one fact writes the share k C^-1 k / (lambda + k C^-1 k); with lambda towards 0 it is r-ROME; so is EMMET, whatever c',
    tolerance: '1e-6',
    oracle: 'three editors against each other, k C^-1 k by LU; control: a large lambda',
    tests: [
      t(
        BATCH,
        'check 19: MEMIT of one fact writes k C^-1 k / (lambda + k C^-1 k) of EMMET, whatever its scale',
      ),
      t(BATCH, 'check 19: with lambda towards 0 MEMIT of one fact is r-ROME, and so is EMMET'),
    ],
  },
  {
    number: 20,
    what: 'With a small lambda the residual falls at every layer; divisors are the layers left, or their root',
    tolerance: 'monotone; divisors 1e-9',
    oracle: 'the edited model, and the goldens of check 17',
    tests: [
      t(
        PROPERTIES,
        'check 20: with small lambda the residual falls at every layer, by either spread',
      ),
    ],
  },
  {
    number: 21,
    what: "AlphaEdit's change stays in the null space and has no part along preserved keys; its small system equals the solve of the MLP's width; the second batch sees the first's keys",
    tolerance: '1e-9',
    oracle: `singular vectors and LU (ml-matrix), ${FLOAT64}; control: without the first batch's keys`,
    tests: [
      t(
        PROPERTIES,
        "check 21: AlphaEdit's small system equals the solve of the MLP's width, stays in the null space, sees K_p",
      ),
      t(BATCH, 'check 21: AlphaEdit: the second batch is solved with the keys of the first'),
    ],
  },
  {
    number: 22,
    what: 'The matrix identity of UltraEdit. There is no UltraEdit editor here, only the identity is checked',
    tolerance: '1e-9',
    oracle: 'LU of the whole matrix (ml-matrix)',
    tests: [
      t(
        PROPERTIES,
        'check 22: the same identity is what an UltraEdit step needs: (HT H + I)^-1 HT V = HT (H HT + I)^-1 V',
      ),
    ],
  },
  {
    number: 23,
    what: 'No entry of FT-L and FT-M moves beyond epsilon; FT-M scores the target behind its own tokens; both changes whole',
    tolerance: 'exact; 1e-4 relative, cosine > 0.99999',
    oracle: `${FLOAT64}; controls: unbounded, and the other objective`,
    tests: [
      t(
        'src/fine-tune/fine-tune.test.ts',
        'check 23: %s equals the float64 golden, no entry beyond epsilon',
      ),
      t(
        'src/fine-tune/fine-tune.test.ts',
        "check 23: FT-M scores the target behind its own tokens only; FT-L all of it at the prompt's end",
      ),
    ],
  },
  {
    number: 24,
    what: 'Undo gives every weight its bits back: 1,000 random sequences with undo out of order, save and load; and after a real edit by each of six editors',
    tolerance: 'bit exact',
    oracle: 'SHA-256 before; control: subtracting the delta',
    tests: [
      t(SESSION, 'checks 24, 26: restore every weight bit for bit and touch no other tensor'),
      t(
        LOCALITY,
        'checks 24, 26: %s changes the weights of its record and no other tensor; undo, and load and undo, are exact',
      ),
      t(
        LOCALITY,
        'check 24: the control: subtracting the delta again, as a naive undo does, leaves other bits',
      ),
    ],
  },
  {
    number: 25,
    what: 'A side path gives the logits of written weights, for the rows that name it',
    tolerance: '1e-5',
    oracle: 'written weights; control: rows without the edit',
    tests: [
      t(
        SESSION,
        'check 25: equals written weights, for the rows that ask for it, and leaves weights alone',
      ),
      t(GUARDS, 'an edited row among others of other lengths is the row alone'),
    ],
  },
  {
    number: 26,
    what: 'No tensor beside the recorded weights changes',
    tolerance: 'exact',
    oracle: 'SHA-256 of every tensor; control: the recorded ones do change',
    tests: [
      t(
        LOCALITY,
        'checks 24, 26: %s changes the weights of its record and no other tensor; undo, and load and undo, are exact',
      ),
      t(SESSION, 'checks 24, 26: restore every weight bit for bit and touch no other tensor'),
    ],
  },
  {
    number: 27,
    what: 'Causal tracing tables of states, MLPs (windows 2 and 3), attention, and severed MLPs',
    tolerance: '1e-6 absolute',
    oracle: FLOAT64,
    tests: [t(TRACE, 'check 27: %s equal the float64 table')],
  },
  {
    number: 28,
    what: "The last token's last layer gives the clean score; MT19937 and the polar Gaussian are numpy's",
    tolerance:
      '1e-6; uniform draws bit exact; Gaussians bit exact to a correctly rounded logarithm, which numpy misses in 2 of 5,064 draws by one bit',
    oracle: 'numpy, mpmath; controls: another layer, another seed',
    tests: [
      t(TRACE, 'check 28: ends at the clean score: last token, last layer'),
      t(TRACE, "check 28: MT19937 gives numpy's uniform draws, bit for bit"),
      t(
        TRACE,
        "check 28: the polar Gaussians are numpy's, bit for bit but where its C library rounds a logarithm wrongly",
      ),
    ],
  },
  {
    number: 29,
    what: 'Windows of even and odd width at both borders',
    tolerance: 'exact',
    oracle: 'sets written out by hand; the tables of check 27 use both widths',
    tests: [t(TRACE, 'check 29: windows of even and odd width at both borders')],
  },
  {
    number: 30,
    what: 'Entropy with weights 2/3 and 4/3; a tie is a failure; the essence perplexity divides by N',
    tolerance: 'exact (1e-12)',
    oracle: 'hand case, nltk, float64 forwards',
    tests: [
      t(METRICS, 'of "$text"'),
      t(
        METRICS,
        'check 30: is zero for repetition and for nothing, and the hand case of four words',
      ),
      t(
        METRICS,
        'check 30: CounterFact: NLLs, success, magnitude, accuracy and their summary; a tie is a failure',
      ),
      t(METRICS, "check 30: perplexity: the usual one and the reference's divisor N"),
    ],
  },
  {
    number: 31,
    what: 'TF-IDF cosine; Treebank words',
    tolerance: '1e-9; words exact',
    oracle: 'scikit-learn; nltk',
    tests: [
      t(METRICS, "has scikit-learn's vocabulary and weights"),
      t(METRICS, 'cosine $cosine'),
      t(METRICS, 'of "$text"'),
    ],
  },
  {
    number: 32,
    what: 'End to end, on the bundled model instead of gpt2-xl (below): ten single edits, p(new object), neighbours, held-out perplexity',
    tolerance: 'p >= 0.9; every neighbour keeps its argmax; perplexity within 2 %',
    oracle: 'the unedited model',
    tests: [
      t(
        'test/end-to-end.test.ts',
        'p(new object) >= 0.9, neighbours keep their argmax, perplexity of 50 held-out texts within 2 %',
      ),
    ],
  },
];
