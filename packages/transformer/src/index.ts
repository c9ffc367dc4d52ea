// Public API of @safeinfer/transformer.
export {};
