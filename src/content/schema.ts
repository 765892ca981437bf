// Generated from signal.proto; do not edit. To make it anew: npx vitest run test/unit/schema.test.ts --update
// It is TypeScript, so that the compiled library holds its schema and reads no file at run time.
export const SCHEMA = {
  nested: {
    sealcast: {
      nested: {
        Envelope: {
          edition: '2023',
          fields: {
            type: { type: 'Type', id: 1 },
            clientTimestamp: { type: 'uint64', id: 5 },
            sourceDeviceId: { type: 'uint32', id: 7 },
            content: { type: 'bytes', id: 8 },
            serverTimestamp: { type: 'uint64', id: 10 },
            sourceServiceId: { type: 'string', id: 11 },
            sourceServiceIdBinary: { type: 'bytes', id: 19 },
          },
          nested: {
            Type: {
              values: {
                UNKNOWN: 0,
                DOUBLE_RATCHET: 1,
                PREKEY_MESSAGE: 3,
                SERVER_DELIVERY_RECEIPT: 5,
                UNIDENTIFIED_SENDER: 6,
                PLAINTEXT_CONTENT: 8,
              },
            },
          },
        },
        Content: {
          edition: '2023',
          fields: {
            dataMessage: { type: 'DataMessage', id: 1 },
            senderKeyDistributionMessage: { type: 'bytes', id: 7 },
            decryptionErrorMessage: { type: 'bytes', id: 8 },
          },
        },
        DataMessage: {
          edition: '2023',
          fields: {
            body: { type: 'string', id: 1 },
            flags: { type: 'uint32', id: 4 },
            expireTimer: { type: 'uint32', id: 5 },
            profileKey: { type: 'bytes', id: 6 },
            timestamp: { type: 'uint64', id: 7 },
            requiredProtocolVersion: { type: 'uint32', id: 12 },
            expireTimerVersion: { type: 'uint32', id: 23 },
          },
        },
        UnidentifiedSenderMessage: {
          edition: '2023',
          fields: {
            ephemeralPublic: { type: 'bytes', id: 1 },
            encryptedStatic: { type: 'bytes', id: 2 },
            encryptedMessage: { type: 'bytes', id: 3 },
          },
          nested: {
            Message: {
              fields: {
                type: { type: 'Type', id: 1 },
                senderCertificate: { type: 'bytes', id: 2 },
                content: { type: 'bytes', id: 3 },
                contentHint: { type: 'ContentHint', id: 4 },
                groupId: { type: 'bytes', id: 5 },
              },
              nested: {
                Type: {
                  options: { features: { enum_type: 'CLOSED' } },
                  values: { PREKEY_MESSAGE: 1, MESSAGE: 2, SENDERKEY_MESSAGE: 7, PLAINTEXT_CONTENT: 8 },
                },
                ContentHint: { options: { features: { enum_type: 'CLOSED' } }, values: { RESENDABLE: 1, IMPLICIT: 2 } },
              },
            },
          },
        },
      },
    },
  },
};
