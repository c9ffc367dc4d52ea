// Public API of @safeinfer/backend-ort.
export {};
