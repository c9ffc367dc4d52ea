// The browser application as one classic script and one stylesheet: modules do not load from file://.
import { defineConfig, type Plugin, type UserConfig } from 'vite';

const classicScript: Plugin = {
  name: 'classic-script',
  enforce: 'post',
  transformIndexHtml: {
    order: 'post',
    handler: (html) =>
      html
        .replaceAll(/<script type="module" crossorigin/g, '<script defer')
        .replaceAll(/<link rel="stylesheet" crossorigin/g, '<link rel="stylesheet"'),
  },
};

const config: UserConfig = defineConfig({
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [classicScript],
  build: {
    outDir: 'dist/site',
    emptyOutDir: true,
    target: 'es2023',
    modulePreload: false,
    // Otherwise a classic script carries its styles and inserts them inline, which the page's policy forbids.
    cssCodeSplit: false,
    reportCompressedSize: true,
    rolldownOptions: {
      output: {
        format: 'iife',
        entryFileNames: 'assets/app.js',
        assetFileNames: 'assets/app[extname]',
      },
    },
  },
});

export default config;
