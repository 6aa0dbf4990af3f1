import { keepText, readText } from '../../state/storage.ts';

/** Place in a list that a person left: the first image on the screen, and how far it was scrolled. */
export interface Place {
  readonly id: string;
  /** Cursor of the image before it; absent for the first image of the list. */
  readonly cursor?: string | undefined;
  /** Distance of the image from the top of the view in pixels; negative when it begins above. */
  readonly offset: number;
}

const KEY = 'fixative-places';

/** Most addresses whose places are kept. */
const MAX_PLACES = 30;

type Places = Readonly<Record<string, Place>>;

function readPlaces(): Places {
  try {
    return JSON.parse(readText('session', KEY) ?? '{}');
  } catch {
    return {};
  }
}

export const placeOf = (address: string): Place | undefined => readPlaces()[address];

/** Keeps the place of an address for this tab; null: the start of the list. */
export function keepPlace(address: string, place: Place | null): void {
  const { [address]: _, ...others } = readPlaces();
  const kept = Object.entries(others).slice(1 - MAX_PLACES);
  const next = Object.fromEntries(place === null ? kept : [...kept, [address, place]]);
  keepText('session', KEY, JSON.stringify(next));
}
