// The backend under test, registered before any spec is defined.
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import { registerWasmKernels, repairCpuKernels } from '@safeinfer/backend';
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
setTestEnvs([{ name, backendName: name, isDataSync: true }]);
