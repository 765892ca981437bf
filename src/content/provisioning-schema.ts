// Generated from provisioning.proto by `npm run generate`; do not edit.
export const SCHEMA = {
  nested: {
    sealcast: {
      nested: {
        ProvisionEnvelope: {
          edition: '2023',
          fields: { publicKey: { type: 'bytes', id: 1 }, body: { type: 'bytes', id: 2 } },
        },
        ProvisionMessage: {
          edition: '2023',
          fields: {
            aciIdentityKeyPrivate: { type: 'bytes', id: 2 },
            number: { type: 'string', id: 3 },
            provisioningCode: { type: 'string', id: 4 },
            profileKey: { type: 'bytes', id: 6 },
            readReceipts: { type: 'bool', id: 7 },
            aci: { type: 'string', id: 8 },
            pni: { type: 'string', id: 10 },
            pniIdentityKeyPrivate: { type: 'bytes', id: 12 },
            masterKey: { type: 'bytes', id: 13 },
            accountEntropyPool: { type: 'string', id: 15 },
            mediaRootBackupKey: { type: 'bytes', id: 16 },
            aciBinary: { type: 'bytes', id: 17 },
            pniBinary: { type: 'bytes', id: 18 },
            authCredentialSalt: { type: 'bytes', id: 19 },
          },
        },
        DeviceName: {
          edition: '2023',
          fields: {
            ephemeralPublic: { type: 'bytes', id: 1 },
            syntheticIv: { type: 'bytes', id: 2 },
            ciphertext: { type: 'bytes', id: 3 },
          },
        },
      },
    },
  },
};
