// Starts the application with the data source that the page names.
import { render } from 'preact';
import { STATIC_SOURCE } from '../schema/export.ts';
import { App } from './app.tsx';
import { httpSource } from './source/http-source.ts';
import { staticSource } from './source/static-source.ts';

const named = document.querySelector('meta[name="safeinfer-source"]')?.getAttribute('content');
const source = named === STATIC_SOURCE ? staticSource() : httpSource();
const root = document.getElementById('app');
if (root) {
  root.replaceChildren();
  render(<App source={source} />, root);
}
