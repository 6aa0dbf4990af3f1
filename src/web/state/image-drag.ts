/** Type of the data that a tile of the gallery is dragged with: the uuid of the image. */
export const IMAGE_TYPE = 'application/x-fixative-image';
