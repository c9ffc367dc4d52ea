// Public API of @safeinfer/finetune.
export {};
