/** Texts of the page of one image. */
export const page = {
  loading: 'Loading the image …',
  missing: 'There is no such image',
  missingHint:
    'It was deleted permanently, or it belongs to a user whose images you may not see. Check the address.',
  picture: 'Picture',
  details: 'Details',
  back: 'Back to the gallery',
  previous: 'Previous image',
  next: 'Next image',
  actions: 'Actions',
  more: 'More actions',
} as const;

/** Effects of the keys, for the list of keys. */
export const keys = {
  previous: page.previous,
  next: page.next,
  back: page.back,
  zoom: 'Look at it full screen',
  copyPrompt: 'Copy the prompt',
  edit: 'Edit from this image',
  restore: 'Restore its copies',
  remove: 'Move it to the trash',
  tags: 'Add a tag',
} as const;

export const stage = {
  zoom: (alt: string) => `Look at it full screen: ${alt}`,
  pending: 'Waiting to be generated',
  scheduled: (time: string) => `It is planned for ${time}.`,
  retries: (time: string) => `The next attempt is planned for ${time}.`,
  processing: 'Being generated',
  processingHint: 'This page shows the picture as soon as it is there.',
  failed: 'It could not be generated',
  mayRetry: 'The same request may succeed later.',
  mayNotRetry: 'The same request will fail again: change it first.',
  lost: 'Its bytes are lost',
  lostHint: 'No store has a healthy copy. A copy that comes back can be restored.',
  lostAgain: 'It can also be generated again with the same request.',
  trash: 'In the trash',
  trashHint: (day: string) =>
    `It is deleted permanently after ${day}. Until then its addresses return nothing.`,
  unloaded: 'The picture could not be loaded',
  unloadedHint: 'The server may be away, or a copy may be damaged.',
  notKept: 'Its bytes were not kept',
  notKeptHint: 'The server is set not to keep generated images. What is known about it stays here.',
} as const;

export const viewer = {
  previous: page.previous,
  next: page.next,
  close: 'Close the full-screen view',
  zoomIn: 'Zoom in',
  zoomOut: 'Zoom out',
  label: 'Full-screen view',
  slide: 'Image',
  nothing: 'This image has no picture to show.',
} as const;

export const actions = {
  makeAgain: 'Make again',
  editFrom: 'Edit from this',
  download: 'Download',
  remove: 'Delete',
  removed: 'Moved to the trash',
  undelete: 'Take out of the trash',
  undeleted: 'Taken out of the trash',
  purge: 'Delete permanently',
  purged: 'Deleted permanently',
  purgeTitle: 'Delete this image permanently?',
  purgeHint:
    'Its bytes are deleted from every store, with its parts. This cannot be undone. Bytes that another image shares stay.',
  retry: 'Try again',
  retryStarted: 'Generation started again',
  generateAgain: 'Generate again',
  cancel: 'Cancel the generation',
  cancelled: 'Generation cancelled',
  copyPrompt: 'Copy the prompt',
  copyJson: 'Copy everything as JSON',
} as const;

export const copied = {
  prompt: 'Prompt copied',
  json: 'Copied as JSON',
} as const;

export const status = {
  PENDING: 'Waiting',
  PROCESSING: 'Generating',
  FAILED: 'Failed',
  SUCCESS: 'Complete',
} as const;

export const durability = {
  DURABLE: 'Durable',
  DEGRADED: 'Degraded',
  AT_RISK: 'At risk',
  LOST: 'Lost',
} as const;

export const durabilityHint = {
  DURABLE: 'Every store has a healthy copy.',
  DEGRADED: 'At least one store lacks a healthy copy. The server repairs it by itself.',
  AT_RISK: 'One healthy copy is left.',
  LOST: 'No store has a healthy copy.',
} as const;

export const origin = {
  GENERATED: 'Generated here',
  IMPORTED: 'Imported',
  RECORDED: 'Recorded',
  UPLOADED: 'Uploaded',
} as const;
