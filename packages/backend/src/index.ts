// Public API of @safeinfer/backend.
export {
  type ErrorCode,
  SafeInferError,
  type SafeInferErrorOptions,
  throwIfAborted,
} from './safe-infer-error.ts';
