// Plan of the measurements: everything at one size, and from there one thing varied at a time. (All
// of it everywhere would take an hour.)

export interface EnvelopeCase {
  readonly contentBytes: number;
  /** Entries of a call. */
  readonly recipientCount: number;
  readonly roundCount: number;
  readonly warmupRoundCount: number;
  /**
   * All peers, all kernels, all threads and all states; else sealcast's main states and libsignal,
   * on one thread.
   */
  readonly everything: boolean;
}

export interface EnvelopePlan {
  readonly full: EnvelopeCase;
  readonly others: readonly EnvelopeCase[];
}

const CONTENT_BYTES = 600;
const RECIPIENT_COUNT = 1_024;

const varied = (
  contentBytes: number,
  recipientCount: number,
  roundCount: number,
): EnvelopeCase => ({
  contentBytes,
  recipientCount,
  roundCount,
  warmupRoundCount: 2,
  everything: false,
});

export const FULL_PLAN: EnvelopePlan = {
  full: {
    contentBytes: CONTENT_BYTES,
    recipientCount: RECIPIENT_COUNT,
    roundCount: 17,
    warmupRoundCount: 3,
    everything: true,
  },
  others: [
    varied(300, RECIPIENT_COUNT, 11),
    varied(2_200, RECIPIENT_COUNT, 11),
    varied(CONTENT_BYTES, 1, 11),
    varied(CONTENT_BYTES, 16, 11),
    varied(CONTENT_BYTES, 256, 11),
    varied(CONTENT_BYTES, 10_000, 5),
  ],
};

/** To see that it runs, and roughly how fast. */
export const QUICK_PLAN: EnvelopePlan = {
  full: { ...FULL_PLAN.full, recipientCount: 256, roundCount: 5, warmupRoundCount: 2 },
  others: [varied(2_200, 256, 3), varied(CONTENT_BYTES, 1, 3)],
};
