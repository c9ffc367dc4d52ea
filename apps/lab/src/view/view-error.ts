// What the server of the viewer refuses, with the HTTP status that says so.

export class ViewError extends Error {
  readonly status: 400 | 403 | 404 | 409;

  constructor(status: 400 | 403 | 404 | 409, message: string) {
    super(message);
    this.name = 'ViewError';
    this.status = status;
  }
}
