/**
 * Facts about the origin of a picture that a generator or a camera stored in it. Fields that the file lacks
 * are null.
 */
export interface Provenance {
  /**
   * Program that made the picture, recognised by the form of its texts: `AUTOMATIC1111`, `ComfyUI`,
   * `InvokeAI`, `NovelAI`, `Fooocus` or `Draw Things`; null: no known form.
   */
  readonly generator: string | null;
  readonly prompt: string | null;
  readonly negativePrompt: string | null;
  readonly model: string | null;
  /** Decimal digits, because seeds can be larger than the integers that a number holds exactly. */
  readonly seed: string | null;
  readonly steps: number | null;
  readonly sampler: string | null;
  readonly cfgScale: number | null;
  /** Program that wrote the file, as EXIF, XMP or PNG names it. */
  readonly software: string | null;
  /** Make and model of the camera. */
  readonly camera: string | null;
  /** ISO 8601, without an offset when the camera stored none. */
  readonly takenAt: string | null;
  /** IPTC's term for the kind of source: http://cv.iptc.org/newscodes/digitalsourcetype/ */
  readonly digitalSourceType: string | null;
  readonly description: string | null;
  /** Texts of the file by their names in the file. Long ones are cut (`LIMITS`). */
  readonly raw: Readonly<Record<string, unknown>>;
  /** Whether the file has C2PA content credentials. They are not validated. */
  readonly hasContentCredentials: boolean;
}

/** Whether the file said anything about its origin. */
export function hasProvenance(provenance: Provenance): boolean {
  const { raw, hasContentCredentials, ...fields } = provenance;
  return (
    hasContentCredentials ||
    Object.keys(raw).length > 0 ||
    Object.values(fields).some((field) => field !== null)
  );
}
