import { hash } from 'node:crypto';

interface PageOptions {
  /** Path that relative links start at, with `/` at its end. Default: the folder of the page. */
  readonly base?: string;
  /** URL to redirect to at once. */
  readonly refresh?: string;
}

/** Returns an HTML page without scripts. Its links are relative, because a proxy may strip a prefix. */
export function page(body: string, { base, refresh }: PageOptions = {}): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Fixative</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">${
    base === undefined ? '' : `<base href="${base}">`
  }${refresh === undefined ? '' : `<meta http-equiv="refresh" content="0;url=${refresh}">`}
<style>${STYLE}</style></head>
<body><main><h1><span class="logo" aria-hidden="true"></span>Fixative</h1>${body}</main></body></html>
`;
}

/** Colours and sizes are those of the gallery (src/web/design/tokens.css). */
const STYLE = `:root{color-scheme:light dark;--bg:light-dark(#f6f6f4,#131416);--card:light-dark(#fff,#1c1d20);--line:light-dark(#d9d9d4,#34363b);
--text:light-dark(#1b1c1e,#ecedee);--soft:light-dark(#585b60,#a7abb1);--bad:light-dark(#a3211b,#ff8f87);
--accent:light-dark(#0b5c55,#5fd0c2);--on-accent:light-dark(#fff,#06211e)}
body{font:15px/1.6 system-ui,sans-serif;margin:0;color:var(--text);background:var(--bg)}
main{max-width:26rem;margin:14vh auto 3rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:16px}
@media(max-width:32rem){main{margin:1rem;padding:1.25rem}}
h1{font-size:1.375rem;line-height:1.3;font-weight:650;margin:0 0 .75rem;display:flex;gap:.6rem;align-items:center}
.logo{width:1.1rem;height:1.1rem;border-radius:5px;background:var(--accent)}
a{color:var(--accent)}p{margin:.75rem 0}.note{color:var(--bad)}.soft{color:var(--soft)}
form{display:grid;gap:.75rem;margin-top:1.25rem}label{font-weight:600;font-size:.875rem;display:grid;gap:.35rem}
input,button{font:inherit;padding:.6rem .8rem;border-radius:10px;border:1px solid var(--line)}
input{background:var(--bg);color:inherit;border-color:var(--soft)}
button{background:var(--accent);color:var(--on-accent);border-color:transparent;font-weight:600;cursor:pointer}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
code{font-size:.875em;overflow-wrap:anywhere}`;

/** Source of the style in a Content-Security-Policy (CSP 3, 2.3.1). */
export const STYLE_SOURCE = `'sha256-${hash('sha256', STYLE, 'base64')}'`;
