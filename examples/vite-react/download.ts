/** Copies RobustImage from the server into this project. Run it again for a new version. */
import { mkdir, writeFile } from 'node:fs/promises';

const { FIXATIVE_URL = 'http://127.0.0.1:4000' } = process.env;
const directory = new URL('src/robust-image/', import.meta.url);

await mkdir(directory, { recursive: true });
for (const name of ['robust-image-react.js', 'robust-image-react.d.ts', 'robust-image.d.ts']) {
  const response = await fetch(`${FIXATIVE_URL}/${name}`);
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  await writeFile(new URL(name, directory), await response.text());
}
