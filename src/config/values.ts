import { z } from 'zod';

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

/** `52428800`, `50 MiB`, `50MB`. */
export const bytes = z
  .string()
  .regex(/^\d+(\.\d+)?\s*(B|KiB|MiB|GiB|KB|MB|GB)?$/i, 'a number of bytes, such as 52428800 or 50 MiB')
  .transform((text) => {
    const [, amount = '', unit = 'B'] = /^([\d.]+)\s*([a-z]*)$/i.exec(text) ?? [];
    const factors: Record<string, number> = { b: 1, kib: KiB, mib: MiB, gib: GiB, kb: 1e3, mb: 1e6, gb: 1e9 };
    return Math.floor(Number(amount) * (factors[unit.toLowerCase() || 'b'] ?? 1));
  })
  .refine((amount) => amount > 0, 'more than 0 bytes');

/** The same, or `off`, which is 0. */
export const bytesOrOff = z.union([z.literal('off').transform(() => 0), bytes], {
  error: 'a number of bytes, such as 52428800 or 50 MiB, or off',
});

export const wholeNumber = (low: number, high: number) =>
  z
    .string()
    .regex(/^\d+$/, `a whole number from ${low} to ${high}`)
    .transform(Number)
    .refine((number) => number >= low && number <= high, `a whole number from ${low} to ${high}`);

export const flag = z
  .string()
  .regex(/^(true|false|1|0|yes|no)$/i, 'true or false')
  .transform((text) => /^(true|1|yes)$/i.test(text));

/** What settings are read as. */
export type Values<Settings extends z.ZodRawShape> = z.infer<z.ZodObject<Settings>>;

/** What stands between commas; nothing counts as no entry. */
export const list = z.string().transform((text) =>
  text
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean),
);

/** http or https, without a slash at its end. */
export const httpUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    'an address that begins with http:// or https://',
  )
  .transform((text) => text.replace(/\/+$/, ''));

/** Of one label below the top at least: `*.com` would be everybody. */
const BELOW = /^https?:\/\/\*\.(?:[a-z0-9_-]+\.)+[a-z0-9-]+(?::\d+)?$/;
/** Of apps, whose pages have a scheme of their own: `capacitor://localhost`. */
const APP = /^(?!https?:)[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]+$/;

/** Origins as browsers write them, `https://*.example.com`, `*`; `none` is no entry. */
export const origins = list
  .refine(
    (entries) =>
      entries.every(
        (entry) =>
          ['*', 'none'].includes(entry) ||
          BELOW.test(entry) ||
          APP.test(entry) ||
          (!entry.includes('*') && URL.parse(entry)?.origin === entry),
      ),
    'origins such as https://app.example.com or https://*.example.com, divided by commas, or *, or none',
  )
  .transform((entries) => entries.filter((entry) => entry !== 'none'));
