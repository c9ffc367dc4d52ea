// The HTTP side of `safeinfer view`: the pages, the JSON they ask for, and the one thing they may write.
import { join } from 'node:path';
import {
  causalTraceSchema,
  DISAGREEMENT_REASONS,
  headMapSchema,
  itemQueryFrom,
  labelRequestSchema,
  trialKeySchema,
} from '@safeinfer/viewer';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { z } from 'zod';
import { loopbackGuard, pageHeaders } from './loopback-guard.ts';
import { shownTrace } from './maskable.ts';
import type { OpenRuns } from './open-runs.ts';
import { jsonNames, readJson } from './run-files.ts';
import { itemDetail, itemPage, queuePage, requireRecord, tokenDetail } from './run-pages.ts';
import type { SiteFile } from './site-files.ts';
import { ViewError } from './view-error.ts';

/** Rows a page may ask for at once. */
const MOST_ROWS = 200;
/** A label is a few names; anything larger is a mistake. */
const MOST_BYTES = 16 * 1024;

const stretchSchema = z.object({
  offset: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(MOST_ROWS).default(50),
  reveal: z.stringbool().default(false),
});
const queueSchema = stretchSchema.extend({
  reason: z.enum(DISAGREEMENT_REASONS).optional(),
  labelled: z.stringbool().default(false),
});
const revealSchema = stretchSchema.pick({ reveal: true });
const itemKeySchema = trialKeySchema.omit({ edit: true, arm: true });

export function viewApp(options: {
  readonly runs: OpenRuns;
  readonly site: readonly SiteFile[];
  /** Known once the server listens. */
  readonly port: () => number;
}): Hono {
  const { runs } = options;
  const app = new Hono();
  app.use(pageHeaders());
  app.use(loopbackGuard(options.port));
  app.onError((error, context) => {
    if (error instanceof ViewError) return context.json({ error: error.message }, error.status);
    process.stderr.write(`view: ${error.stack ?? error.message}\n`);
    return context.json({ error: error.message }, 500);
  });
  app.notFound((context) => context.json({ error: 'there is nothing here' }, 404));

  for (const { path, type, content } of options.site) {
    const serve = (context: Context): Response =>
      context.body(content, 200, { 'content-type': type, 'cache-control': 'no-cache' });
    app.get(`/${path}`, serve);
    if (path === 'index.html') app.get('/', serve);
  }

  app.use('/api/*', async (context, next) => {
    await next();
    context.header('cache-control', 'no-store');
  });
  app.get('/api/runs', async (context) => context.json(await runs.list()));
  app.get('/api/runs/:id', async (context) =>
    context.json(await (await runs.open(context.req.param('id'))).detail()),
  );
  app.get('/api/runs/:id/items', async (context) => {
    const query = itemQueryFrom((name) => context.req.query(name));
    const stretch = checked(stretchSchema, context.req.query());
    return context.json(
      await itemPage(await runs.open(context.req.param('id')), { query, ...stretch }),
    );
  });
  app.get('/api/runs/:id/item', async (context) => {
    const key = checked(itemKeySchema, context.req.query());
    const { reveal } = checked(revealSchema, context.req.query());
    return context.json(
      await itemDetail(await runs.open(context.req.param('id')), { key, reveal }),
    );
  });
  app.get('/api/runs/:id/tokens', async (context) => {
    const key = checked(trialKeySchema, context.req.query());
    const { reveal } = checked(revealSchema, context.req.query());
    return context.json(
      await tokenDetail(await runs.open(context.req.param('id')), { key, reveal }),
    );
  });
  app.get('/api/runs/:id/queue', async (context) => {
    const { reason, ...rest } = checked(queueSchema, context.req.query());
    return context.json(
      await queuePage(await runs.open(context.req.param('id')), { reason, ...rest }),
    );
  });
  app.post(
    '/api/runs/:id/labels',
    bodyLimit({ maxSize: MOST_BYTES, onError: () => refuse('the label is too large') }),
    async (context) => {
      if (!/^application\/json\b/.test(context.req.header('content-type') ?? '')) {
        refuse('a label is sent as application/json');
      }
      const body: unknown = await context.req.json().catch(() => refuse('the label is not JSON'));
      const { key, label } = checked(labelRequestSchema, body);
      const run = await runs.open(context.req.param('id'));
      await requireRecord(run, key);
      await run.labels.append(key, label);
      return context.json({ key, label }, 201);
    },
  );
  for (const { folder, schema } of MAPS) {
    app.get(`/api/runs/:id/${folder}/:name`, async (context) => {
      const { id = '', name = '' } = context.req.param();
      const { directory } = await runs.open(id);
      const place = join(directory, folder);
      if (!(await jsonNames(place)).includes(name)) {
        throw new ViewError(404, `there is no ${folder}/${name}.json`);
      }
      const found = await readJson<unknown>(join(place, `${name}.json`), schema);
      if (found === null) throw new ViewError(409, `${folder}/${name}.json cannot be read`);
      return context.json(found as object);
    });
  }
  return app;
}

const MAPS = [
  { folder: 'heads', schema: headMapSchema },
  { folder: 'traces', schema: causalTraceSchema.transform(shownTrace) },
] as const;

function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  return refuse(
    parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
  );
}

function refuse(message: string): never {
  throw new ViewError(400, message);
}
