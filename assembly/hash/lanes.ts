// Work of four lanes: a row of addresses for each, filled by the caller. The addresses and lengths
// are public.

const ROW_BYTES: usize = 16;
export const LANES_BYTES: usize = 4 * ROW_BYTES;

/**
 * Sets the row of lane `lane`. The lane works with the key (or salt) at `key` on the message at
 * `message` and leaves its result at `out`.
 */
@inline export function setLane(lanes: usize, lane: usize, key: usize, message: usize, messageBytes: usize, out: usize): void {
  const row = lanes + lane * ROW_BYTES;
  store<usize>(row, key);
  store<usize>(row, message, 4);
  store<usize>(row, messageBytes, 8);
  store<usize>(row, out, 12);
}
@inline export function laneKey(lanes: usize, lane: usize): usize {
  return load<usize>(lanes + lane * ROW_BYTES);
}
@inline export function laneMessage(lanes: usize, lane: usize): usize {
  return load<usize>(lanes + lane * ROW_BYTES, 4);
}
@inline export function laneMessageBytes(lanes: usize, lane: usize): usize {
  return load<usize>(lanes + lane * ROW_BYTES, 8);
}
@inline export function laneOut(lanes: usize, lane: usize): usize {
  return load<usize>(lanes + lane * ROW_BYTES, 12);
}
