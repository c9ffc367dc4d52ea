// Public API of @safeinfer/backend-ort.
export { OrtBackend } from './ort-backend.ts';
export { ORT_BACKEND, registerOrtBackend } from './register.ts';
