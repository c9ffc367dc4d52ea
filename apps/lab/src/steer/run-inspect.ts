// `safeinfer steer inspect`: what a vector file of any tool holds, beside another file and a model.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { chooseBackend } from '../model/choose-backend.ts';
import { openModel } from '../model/open-model.ts';
import { textTable } from '../report/format-table.ts';
import { readHeadsFile } from './heads-file.ts';
import { fitOf, type VectorFacts, vectorFacts } from './inspect-vector.ts';
import { readVectorFile } from './vector-file.ts';

export interface InspectFlags {
  readonly with?: string;
  readonly model?: string;
  readonly backend?: string;
  readonly layer?: number;
  readonly heads?: string;
  readonly json: boolean;
}

export async function runInspect(
  path: string,
  flags: InspectFlags,
  signal: AbortSignal,
): Promise<void> {
  const at = { layer: flags.layer };
  const file = await readVectorFile(path, at);
  const other = flags.with === undefined ? undefined : await readVectorFile(flags.with, at);
  let facts = vectorFacts(file, other);
  if (flags.model !== undefined) {
    await chooseBackend({ backend: flags.backend });
    using opened = await openModel({ name: flags.model, signal });
    facts = { ...facts, fits: await fitOf(facts, opened.model, flags.model) };
  }
  const beside = join(dirname(path), 'heads.json');
  const headsPath = flags.heads ?? (existsSync(beside) ? beside : undefined);
  const heads = headsPath === undefined ? undefined : readHeadsFile(headsPath);
  process.stdout.write(
    flags.json
      ? `${JSON.stringify({ file: path, ...facts, ...(heads ? { topHeads: heads.top } : {}) }, undefined, 2)}\n`
      : `${describe(path, facts)}${
          heads
            ? `\n\n${textTable([
                ['layer', 'head', 'indirect effect'],
                ...heads.top.map(({ layer, head, aie }) => [
                  `${layer}`,
                  `${head}`,
                  aie.toPrecision(3),
                ]),
              ])}`
            : ''
        }\n`,
  );
}

function describe(path: string, facts: VectorFacts): string {
  const number = (value: number | undefined): string =>
    value === undefined ? '' : String(Number(value.toPrecision(4)));
  const settings = Object.entries(facts.settings ?? {}).map(([name, value]) => `${name} ${value}`);
  return [
    `${path}: ${facts.kind}${facts.method ? `, made by ${facts.method} v${facts.version}` : ''}${facts.seed === undefined ? '' : `, seed ${facts.seed}`}`,
    ...(settings.length ? [`settings: ${settings.join(', ')}`] : []),
    `model: ${facts.madeOn ?? 'not recorded'}`,
    ...(facts.data ? [`data: ${facts.data}`] : []),
    ...(facts.fits ? [`${facts.fits.model}: ${facts.fits.verdict}`] : []),
    '',
    textTable([
      ['layer', 'point', 'head', 'op', 'width', 'norm', 'strength', 'cos previous', 'cos other'],
      ...facts.lines.map((line) => [
        line.layer === null ? '?' : `${line.layer}`,
        line.point,
        line.head === undefined ? '' : `${line.head}`,
        line.op,
        `${line.width}`,
        number(line.norm),
        number(line.strength),
        number(line.cosineWithPrevious),
        number(line.cosineWithOther),
      ]),
    ]),
  ].join('\n');
}
