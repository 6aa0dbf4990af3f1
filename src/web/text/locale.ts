/** Language of numbers and dates: the first one that the browser prefers. */
export const LOCALE: string = navigator.languages?.[0] ?? 'en';

const count = new Intl.NumberFormat(LOCALE);

export const formatCount = (value: number): string => count.format(value);
