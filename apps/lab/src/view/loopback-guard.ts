// Keeps other sites out: a page elsewhere can make a browser send requests to loopback, but not under our own name.
import type { MiddlewareHandler } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import { ViewError } from './view-error.ts';

/** Names under which the server may be addressed; any other Host is a rebound DNS name. */
const HOSTS: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '[::1]']);

export function loopbackGuard(port: () => number): MiddlewareHandler {
  return async (context, next) => {
    const host = context.req.header('host') ?? '';
    if (!ownHost(host, port())) {
      throw new ViewError(403, `the host ${host || '(none)'} is not this viewer`);
    }
    const origin = context.req.header('origin');
    if (origin !== undefined && origin !== `http://${host}`) {
      throw new ViewError(403, `requests from ${origin} are not answered`);
    }
    const site = context.req.header('sec-fetch-site');
    // A link from elsewhere may open the page, but nothing else.
    const opensPage = context.req.header('sec-fetch-mode') === 'navigate';
    if (site !== undefined && site !== 'same-origin' && site !== 'none' && !opensPage) {
      throw new ViewError(403, 'requests from other sites are not answered');
    }
    if (context.req.method !== 'GET' && context.req.method !== 'HEAD' && origin === undefined) {
      throw new ViewError(403, 'a request that writes must name its origin');
    }
    await next();
  };
}

function ownHost(host: string, port: number): boolean {
  const [, name, given = '80'] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(host) ?? [];
  return name !== undefined && HOSTS.has(name) && Number(given) === port;
}

/** Nothing inline, nothing from elsewhere; styles that the script sets on elements are no markup and stay allowed. */
const POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  connectSrc: ["'self'"],
  // The empty icon of the page.
  imgSrc: ['data:'],
  baseUri: ["'none'"],
  formAction: ["'none'"],
};

export function pageHeaders(): MiddlewareHandler {
  return secureHeaders({
    contentSecurityPolicy: { ...POLICY, frameAncestors: ["'none'"] },
    crossOriginResourcePolicy: 'same-origin',
    crossOriginOpenerPolicy: 'same-origin',
    referrerPolicy: 'no-referrer',
    xFrameOptions: 'DENY',
    // Loopback speaks plain HTTP.
    strictTransportSecurity: false,
  });
}

/** The same policy for a page without a server; `frame-ancestors` only works as a header. */
export function policyForMarkup(): string {
  return Object.entries(POLICY)
    .map(([name, sources]) => {
      const directive = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      return `${directive} ${sources.join(' ')}`;
    })
    .join('; ');
}
