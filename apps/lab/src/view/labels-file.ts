// labels.jsonl: one line a label, only ever appended; of several lines for one trial the last one counts.
import { open, readFile } from 'node:fs/promises';
import { type Label, labelLineSchema, type TrialKey, trialKeyText } from '@safeinfer/viewer';

export interface LabelsFile {
  /** By `trialKeyText`. A line that cannot be read is passed over: the file belongs to the person, not to us. */
  read(): Promise<ReadonlyMap<string, { readonly key: TrialKey; readonly label: Label }>>;
  append(key: TrialKey, label: Label): Promise<void>;
}

export function labelsFile(file: string, now: () => Date = () => new Date()): LabelsFile {
  let last: Promise<unknown> = Promise.resolve();
  const append = async (key: TrialKey, label: Label): Promise<void> => {
    const line = JSON.stringify({ schema: 1, key, label, at: now().toISOString() });
    const handle = await open(file, 'a+');
    try {
      // A line torn by a crash must not swallow this one.
      const { size } = await handle.stat();
      const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
      const torn = size > 0 && buffer[0] !== 0x0a;
      // One write in append mode: two processes cannot mix their lines.
      await handle.write(`${torn ? '\n' : ''}${line}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
  };
  return {
    async read() {
      const labels = new Map<string, { readonly key: TrialKey; readonly label: Label }>();
      for (const line of (await textOf(file)).split('\n')) {
        const parsed = labelLineSchema.safeParse(jsonOf(line));
        if (!parsed.success) continue;
        const { key, label } = parsed.data;
        labels.set(trialKeyText(key), { key, label });
      }
      return labels;
    },
    append(key, label) {
      const turn = last.then(
        () => append(key, label),
        () => append(key, label),
      );
      last = turn;
      return turn;
    },
  };
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw cause;
  }
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
