/** Returns an HTML page without scripts. @param options.refresh URL to redirect to at once. */
export function page(body: string, { refresh }: { refresh?: string } = {}): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Fixative</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">${
    refresh === undefined ? '' : `<meta http-equiv="refresh" content="0;url=${refresh}">`
  }
<style>${STYLE}</style></head>
<body><main><h1>Fixative</h1>${body}</main></body></html>
`;
}

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#222;background:#fff}
main{max-width:38rem;margin:12vh auto 3rem;padding:0 1rem}
h1{font-weight:600;margin:0}a{color:#0b57b7}.note{color:#a00}
input,button{font:inherit;padding:.5rem 1rem}input{width:65%;box-sizing:border-box;padding:.5rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.4rem 1.25rem;margin:1.5rem 0}dd{margin:0}code{font-size:.9em}
.state{margin:1rem 0}.state::before{content:"";display:inline-block;width:.6rem;height:.6rem;border-radius:50%;background:#888;margin-right:.5rem}
.up::before{background:#1a7f37}.down::before{background:#c33}
@media(max-width:32rem){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.6rem}}
@media(prefers-color-scheme:dark){body{background:#1b1b1f;color:#ddd}a{color:#9cf}.note{color:#f99}.up::before{background:#3fb950}.down::before{background:#f66}}`;
