// A third-party evaluation harness (Braintrust's, with autoevals) against a real server. It is 150 MB and no dependency:
// the test runs where HARNESS_DIR names a folder in which tools/harness has installed it.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { safeInferCommand } from './run-safeinfer.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const directory = process.env['HARNESS_DIR'];
const installed = directory !== undefined && existsSync(join(directory, 'node_modules/braintrust'));

describe.runIf(installed)(
  'Braintrust (skipped unless HARNESS_DIR has it: see tools/harness)',
  () => {
    it('evaluates two guards of one server', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'safeinfer-harness-test-'));
      const guard = join(folder, 'guard.yaml');
      writeFileSync(
        guard,
        'schemaVersion: 1\narms:\n  - name: plain\n  - name: sgds\n    guide: { safeInfer: { lambda: 0.9, unsafe: { adapter: unsafe } } }\n',
      );
      const args = ['serve', '--port', '0', '--guard', guard, '--backend', 'ort', '--quiet'];
      const server = spawn(process.execPath, safeInferCommand(args), { cwd: root });
      const ended = new Promise((resolve) => server.once('exit', resolve));
      try {
        const url = await new Promise<string>((resolve) => {
          let out = '';
          server.stdout.on('data', (data: Buffer) => {
            out += data.toString();
            const found = /^(http\S+\/v1)$/m.exec(out)?.[1];
            if (found !== undefined) resolve(found);
          });
        });
        const { stdout, status } = spawnSync(
          process.execPath,
          ['--import', import.meta.resolve('tsx'), join(root, 'tools/harness/run-braintrust.ts')],
          { encoding: 'utf8', env: { ...process.env, SAFEINFER_URL: url } },
        );
        expect(status).toBe(0);
        const summary = JSON.parse(stdout.trim().split('\n').at(-1) as string) as Record<
          string,
          { cases: number; failed: number; levenshtein: number }
        >;
        for (const model of ['pocket', 'pocket:sgds']) {
          expect(summary[model]).toMatchObject({ cases: 4, failed: 0 });
          expect(summary[model]?.levenshtein).toBeGreaterThan(0.5);
        }
      } finally {
        server.kill('SIGTERM');
        await ended;
        rmSync(folder, { recursive: true });
      }
    }, 120_000);
  },
);
