// Self-Instruct (Wang et al. 2023): harmless instructions, to measure what a defence costs ordinary users.
import { type DatasetSpec, testOnly } from '../datasets/dataset-spec.ts';
import { cellText } from '../datasets/row.ts';

const USER = 'human_eval/user_oriented_instructions.jsonl';
const SEED = 'data/seed_tasks.jsonl';

function instructions(name: string, path: string, rows: number, sha256: string): DatasetSpec {
  return {
    name,
    revision: '0b26ccaa415992100fa32df62d41b994cf928e23',
    origin: { kind: 'github', repo: 'yizhongw/self-instruct' },
    files: [{ path, format: 'jsonl' }],
    editions: [{ name: 'published', rows, sha256: { [path]: sha256 } }],
    licence: { id: 'Apache-2.0', redistributable: true },
    columns: ['id', 'instruction', 'instances'],
    toItem: (row) => {
      const instruction = cellText(row, 'instruction').trim();
      const instances = row.cells['instances'];
      const first: unknown = Array.isArray(instances) ? instances[0] : undefined;
      const input = (first as { readonly input?: unknown } | undefined)?.input;
      if (instruction === '') return null;
      return {
        sourceId: cellText(row, 'id'),
        prompt:
          typeof input === 'string' && input.trim() !== ''
            ? `${instruction}\n\n${input.trim()}`
            : instruction,
        label: 'harmless',
      };
    },
    split: testOnly(name),
  };
}

export const selfInstructUser: DatasetSpec = instructions(
  'self-instruct-user',
  USER,
  252,
  '81d60a117db495cecedecd9193504fd07c5b5a42f6699ef6b0f9da10fc22f42e',
);
export const selfInstructSeed: DatasetSpec = instructions(
  'self-instruct-seed',
  SEED,
  175,
  '7779004fa198fdf27cf70a159363879d8a26c53329e11b436af17b3941875f48',
);
