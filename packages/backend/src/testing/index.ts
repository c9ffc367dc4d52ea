// Public API of @safeinfer/backend/testing.
export { availableBackends } from './available-backends.ts';
export { describeOnBackends } from './describe-on-backends.ts';
export { limitLargestTensor } from './limit-largest-tensor.ts';
