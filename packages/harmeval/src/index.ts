// Public API of @safeinfer/harmeval.
export {};
