import Image from 'next/image';
import { listImages } from '../fixative.ts';

/** The page shows the newest images, so it is made for each request. */
export const dynamic = 'force-dynamic';

export default async function Page() {
  const images = await listImages();
  return (
    <main>
      {images.map(({ id, url, prompt, width, height }) => (
        <Image
          key={id}
          src={url}
          alt={prompt}
          width={width}
          height={height}
          sizes="(max-width: 640px) 100vw, 320px"
        />
      ))}
    </main>
  );
}
