// Public API of @safeinfer/pocket.
export {};
