// Any vendor's GPU through Dawn; refused until a real adapter is found, and every allocation checked by size.
import * as tf from '@tensorflow/tfjs-core';
import { tensorLimit } from '../kernels/tensor-limit.ts';
import { guardWebgpu, registerWebgpuKernels } from '../kernels/webgpu-kernels.ts';
import { BackendRefusal, type Candidate, type Started } from './candidate.ts';
import { importOptional, versionOf } from './import-optional.ts';

const INSTALL = 'npm install webgpu @tensorflow/tfjs-backend-webgpu';

const DRIVER =
  'install the driver of the GPU; on Linux also the Vulkan loader (apt install libvulkan1, and ' +
  'mesa-vulkan-drivers for AMD and Intel), and check with `vulkaninfo`';

/** Adapters that compute on the CPU: correct, but 10 to 100 times slower than the native CPU backends. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software|warp/i;

interface Adapter {
  readonly info?: {
    readonly vendor?: string;
    readonly description?: string;
    readonly device?: string;
  };
  readonly isFallbackAdapter?: boolean;
  readonly limits: { readonly maxStorageBufferBindingSize: number; readonly maxBufferSize: number };
}

interface Gpu {
  requestAdapter(options?: object): Promise<Adapter | null>;
}

interface WebGpuPackage {
  readonly create: (options: readonly string[]) => Gpu;
  readonly globals: object;
}

export const webgpu: Candidate = {
  async start(): Promise<Started> {
    const gpu = await prepareGlobals();
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    if (adapter === null) {
      throw new BackendRefusal('no GPU adapter is found', DRIVER);
    }
    const { vendor = '', description = '', device = '' } = adapter.info ?? {};
    const name = [vendor, description, device].filter(Boolean).join(' ') || 'unknown adapter';
    const software = adapter.isFallbackAdapter === true || SOFTWARE.test(name);
    if (software && process.env['SAFEINFER_WEBGPU_SOFTWARE'] !== '1') {
      throw new BackendRefusal(
        `the only adapter computes in software (${name})`,
        'use a native CPU backend, or set SAFEINFER_WEBGPU_SOFTWARE=1 to test with it',
      );
    }
    await importOptional('@tensorflow/tfjs-backend-webgpu', INSTALL);
    // Tensors below 1,000 values would be computed by the cpu backend, on another schedule.
    tf.env().set('WEBGPU_CPU_FORWARD', false);
    registerWebgpuKernels(adapter.limits);
    if (await tf.setBackend('webgpu')) guardWebgpu(tf.backend());
    return {
      versions: {
        webgpu: versionOf('webgpu'),
        '@tensorflow/tfjs-backend-webgpu': versionOf('@tensorflow/tfjs-backend-webgpu'),
        adapter: name,
      },
      threads: 1,
      largestTensor: tensorLimit('webgpu'),
    };
  },
};

/** Dawn's objects where tfjs looks for a browser's. */
async function prepareGlobals(): Promise<Gpu> {
  const present = (globalThis as { navigator?: { gpu?: Gpu } }).navigator?.gpu;
  if (present !== undefined) return present;
  const module = (await importOptional('webgpu', INSTALL)) as WebGpuPackage;
  refuseWithoutVulkan();
  const gpu = module.create([]);
  Object.assign(globalThis, module.globals);
  const navigator = (globalThis as { navigator?: object }).navigator;
  if (navigator === undefined) {
    Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  } else {
    Object.defineProperty(navigator, 'gpu', { value: gpu, configurable: true });
  }
  return gpu;
}

/**
 * Dawn writes a warning with a C++ trace to stderr where Linux has no Vulkan loader. The dynamic linker is asked
 * first: a library that is there is refused for being no addon, one that is not there for being absent.
 */
function refuseWithoutVulkan(): void {
  if (process.platform !== 'linux') return;
  try {
    process.dlopen({ exports: {} }, 'libvulkan.so.1');
  } catch (error) {
    if (!String(error).includes('cannot open shared object file')) return;
    throw new BackendRefusal('no GPU adapter is found: there is no Vulkan loader', DRIVER, error);
  }
}
