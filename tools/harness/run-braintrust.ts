// Runs Braintrust’s evaluation harness against a server that is up:
//   SAFEINFER_URL=http://127.0.0.1:8080/v1 tsx tools/harness/run-braintrust.ts
// The harness (150 MB) is not a dependency of this repository: it is installed into HARNESS_DIR when it is not there.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGES = ['braintrust@3.35.0', 'autoevals@0.3.0', 'openai@6.49.0'];
const directory = process.env['HARNESS_DIR'] ?? join(tmpdir(), 'safeinfer-harness');

if (process.env['SAFEINFER_URL'] === undefined) {
  process.stderr.write('set SAFEINFER_URL to the address of a running server, with /v1\n');
  process.exit(2);
}
if (!existsSync(join(directory, 'node_modules', 'braintrust'))) {
  mkdirSync(directory, { recursive: true });
  const args = [
    'install',
    '--no-save',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--prefix',
    directory,
  ];
  const { status } = spawnSync('npm', [...args, ...PACKAGES], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
// Beside its packages, where Node finds them.
const script = join(directory, 'eval.mjs');
copyFileSync(fileURLToPath(new URL('./eval.mjs', import.meta.url)), script);
const { status } = spawnSync(process.execPath, [script], { stdio: 'inherit', cwd: directory });
process.exit(status ?? 1);
