// Public API of @safeinfer/steering.
export {};
