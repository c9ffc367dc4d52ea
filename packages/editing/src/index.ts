// Public API of @safeinfer/editing.
export {};
