// Child process: runs the bundled specs under jasmine and prints one JSON line per spec.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

interface SpecResult {
  readonly fullName: string;
  readonly status: string;
  readonly failedExpectations: readonly { readonly message: string }[];
}

interface JasmineEnv {
  addReporter(reporter: { specDone(result: SpecResult): void }): void;
  configure(options: object): void;
  execute(): Promise<unknown>;
}

const require = createRequire(import.meta.url);
interface JasmineCore {
  boot(core: JasmineCore): { getEnv(): JasmineEnv };
}

const core = require('jasmine-core') as JasmineCore;
const env = core.boot(core).getEnv();
env.configure({ random: false });
// Warnings of the suite (it provokes them) would only hide the JSON lines.
console.warn = () => {};
await import(pathToFileURL(process.argv[2] as string).href);
env.addReporter({
  specDone({ fullName, status, failedExpectations }) {
    const message = failedExpectations[0]?.message.split('\n')[0];
    process.stdout.write(`${JSON.stringify({ fullName, status, message })}\n`);
  },
});
await env.execute();
process.exit(0);
