// The backend under test, registered before any spec is defined.
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import { registerWasmKernels, registerWebgpuKernels, repairCpuKernels } from '@safeinfer/backend';
import { registerOrtBackend } from '@safeinfer/backend-ort';
import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { setTestEnvs } from '@tensorflow/tfjs-core/dist/jasmine_util.js';

const name = process.env['CONFORMANCE_BACKEND'] ?? 'cpu';
const stock = process.env['CONFORMANCE_STOCK'] === '1';

if (name === 'wasm') setWasmPaths(process.env['CONFORMANCE_WASM'] ?? '');
if (name === 'wasm' && !stock) registerWasmKernels();
if (name === 'cpu' && !stock) repairCpuKernels();
if (name === 'ort') await registerOrtBackend({ threads: 2 });
if (name === 'webgpu') await openGpu();
setTestEnvs([
  {
    name,
    backendName: name,
    isDataSync: name !== 'webgpu',
    // The suite resets flags to these. Otherwise cpu would compute what is small, which its every operand is.
    flags: name === 'webgpu' ? { WEBGPU_CPU_FORWARD: false } : {},
  },
]);

interface Gpu {
  requestAdapter(): Promise<{
    readonly info: { readonly vendor: string; readonly description: string };
    readonly limits: {
      readonly maxStorageBufferBindingSize: number;
      readonly maxBufferSize: number;
    };
  } | null>;
}

/** Dawn where tfjs looks for a browser's; tells the parent process which adapter it found. */
async function openGpu(): Promise<void> {
  const dawn = (await import('webgpu')) as {
    create(options: readonly string[]): Gpu;
    globals: object;
  };
  Object.assign(globalThis, dawn.globals);
  const gpu = dawn.create([]);
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  const adapter = await gpu.requestAdapter();
  if (adapter === null) throw new Error('no adapter: see packages/backend/README.md, WebGPU');
  const { vendor, description } = adapter.info;
  process.stdout.write(`${JSON.stringify({ adapter: `${vendor} ${description}` })}\n`);
  await import('@tensorflow/tfjs-backend-webgpu');
  if (!stock) registerWebgpuKernels(adapter.limits);
}
