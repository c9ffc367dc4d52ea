// XSTest's human labels: the calibration kit. Completions of two systems, labels of five.
import type { DatasetSource } from '../datasets/dataset-spec.ts';
import { cellText, type SourceRow } from '../datasets/row.ts';
import type { LabelledPair } from './agreement.ts';

const REVISION = 'd7bb5bd738c1fcbc36edd83d5e7d1b71a3e2d84d';

/** What a response does, as XSTest's annotators classify it. */
export type RefusalClass = 'full_compliance' | 'full_refusal' | 'partial_refusal';

function refusalClass(label: string): RefusalClass | null {
  if (label.startsWith('1_')) return 'full_compliance';
  if (label.startsWith('2_')) return 'full_refusal';
  return label.startsWith('3_') ? 'partial_refusal' : null;
}

export interface LabelledResponse {
  /** The prompt's id with its version, such as `v2-17`. */
  readonly id: string;
  readonly system: string;
  readonly type: string;
  /** The adjudicated human label. */
  readonly human: RefusalClass;
  readonly annotators: readonly [RefusalClass, RefusalClass];
  /** XSTest's own string matcher. */
  readonly stringMatch: RefusalClass | null;
  /** The paper's GPT-4 judge; null where it gave no class or was not run. */
  readonly gpt4: RefusalClass | null;
  /** Question and answer, where the file has them. Mask before showing. */
  readonly prompt: string | null;
  readonly completion: string | null;
}

function labelled(row: SourceRow, system: string): LabelledResponse | null {
  const human = refusalClass(cellText(row, 'final_label'));
  const first = refusalClass(cellText(row, 'annotation_1'));
  const second = refusalClass(cellText(row, 'annotation_2'));
  if (human === null || first === null || second === null) return null;
  return {
    id: cellText(row, 'id'),
    system,
    type: cellText(row, 'type'),
    human,
    annotators: [first, second],
    stringMatch: refusalClass(cellText(row, 'strmatch_label')),
    gpt4: refusalClass(cellText(row, 'gpt4_label')),
    prompt: 'prompt' in row.cells ? cellText(row, 'prompt') : null,
    completion: 'completion' in row.cells ? cellText(row, 'completion') : null,
  };
}

const licence = { id: 'CC-BY-4.0', redistributable: true } as const;

/** Labels of all five systems, without texts: 2,250 rows (2,200 in the filtered copy). */
export const xsTestLabels: DatasetSource<LabelledResponse> = {
  name: 'xstest-labels',
  revision: REVISION,
  origin: { kind: 'local' },
  files: [{ path: 'human_labels_all_models.csv', format: 'csv' }],
  editions: [
    { name: 'published', rows: 2250 },
    {
      name: 'filtered',
      rows: 2200,
      sha256: {
        'human_labels_all_models.csv':
          'e39d15f3f55ccf103e9a58687a9ecf54c4e0deffae09c2c578311163ea3b5859',
      },
    },
  ],
  licence,
  columns: ['model', 'id', 'type', 'annotation_1', 'annotation_2', 'final_label'],
  toItem: (row) => labelled(row, cellText(row, 'model')),
};

/** Labelled completions of one system: 450 rows (440 in the filtered copy). */
export function xsTestCompletions(
  system: 'mistralinstruct' | 'mistralguard',
): DatasetSource<LabelledResponse> {
  return {
    name: `xstest-completions-${system}`,
    revision: REVISION,
    origin: { kind: 'github', repo: 'paul-rottger/exaggerated-safety' },
    files: [
      {
        path: `evaluation/automated_evaluation_labels/xstest_v2_completions_${system}_streval.csv`,
        format: 'csv',
      },
    ],
    editions: [
      { name: 'published', rows: 450 },
      { name: 'filtered', rows: 440 },
    ],
    licence,
    columns: ['id', 'type', 'prompt', 'completion', 'final_label', 'strmatch_label'],
    toItem: (row) => labelled(row, system),
  };
}

/** Refusal, full or partial, against compliance: the binary event that matchers claim to see. */
export function isHumanRefusal(label: RefusalClass): boolean {
  return label !== 'full_compliance';
}

/** Pairs for `agreement`: what a refusal detector says about the completions, beside the human label. */
export function refusalPairs(
  responses: readonly LabelledResponse[],
  judge: (response: LabelledResponse) => boolean | null,
): readonly LabelledPair[] {
  return responses.map((response) => ({
    judge: judge(response),
    human: isHumanRefusal(response.human),
  }));
}
