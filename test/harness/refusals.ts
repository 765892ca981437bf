/** What an error about the wrong argument `field` looks like, for `expect.objectContaining`. */
export function refusedField(field: string): object {
  return { name: 'SealcastError', code: 'ERR_INVALID_ARGUMENT', field };
}
