// Generated from storage.proto by `npm run generate`; do not edit.
export const SCHEMA = {
  nested: {
    sealcast: {
      nested: {
        storage: {
          nested: {
            Account: {
              fields: {
                aci: { type: 'string', id: 1 },
                deviceId: { type: 'uint32', id: 2 },
                registrationId: { type: 'uint32', id: 3 },
                identityPublicKey: { type: 'bytes', id: 4 },
                identityPrivateKey: { type: 'bytes', id: 5 },
                profileKey: { type: 'bytes', id: 6 },
                retiredProfileKeys: { rule: 'repeated', type: 'bytes', id: 7 },
              },
            },
            Attributes: {
              fields: {
                fetchesMessages: { type: 'bool', id: 1 },
                pniRegistrationId: { type: 'uint32', id: 2 },
                registrationLock: { type: 'string', id: 3 },
                recoveryPassword: { type: 'bytes', id: 4 },
                encryptedDeviceName: { type: 'bytes', id: 5 },
                discoverableByPhoneNumber: { type: 'bool', id: 6 },
                capable: { rule: 'repeated', type: 'string', id: 7 },
                incapable: { rule: 'repeated', type: 'string', id: 8 },
                unrestricted: { type: 'bool', id: 9 },
                isPending: { type: 'bool', id: 10 },
              },
            },
            Profile: {
              fields: {
                given: { type: 'string', id: 1 },
                family: { type: 'string', id: 2 },
                about: { type: 'string', id: 3 },
                aboutEmoji: { type: 'string', id: 4 },
                paymentAddress: { type: 'bytes', id: 5 },
                phoneNumberSharing: { type: 'PhoneNumberSharing', id: 6 },
                badgeIds: { rule: 'repeated', type: 'string', id: 7 },
                isPending: { type: 'bool', id: 8 },
              },
              nested: { PhoneNumberSharing: { values: { UNSPECIFIED: 0, HIDDEN: 1, SHARED: 2 } } },
            },
            Rotation: { fields: { profileKey: { type: 'bytes', id: 1 } } },
            PreKeyRange: {
              fields: {
                firstId: { type: 'uint32', id: 1 },
                count: { type: 'uint32', id: 2 },
                uploadedMs: { type: 'double', id: 3 },
                replacedMs: { type: 'double', id: 4 },
              },
            },
            PreKeys: {
              fields: {
                nextPreKeyId: { type: 'uint32', id: 1 },
                nextSignedPreKeyId: { type: 'uint32', id: 2 },
                nextKyberPreKeyId: { type: 'uint32', id: 3 },
                preKeys: { rule: 'repeated', type: 'PreKeyRange', id: 4 },
                signedPreKeys: { rule: 'repeated', type: 'PreKeyRange', id: 5 },
                kyberPreKeys: { rule: 'repeated', type: 'PreKeyRange', id: 6 },
                lastResortKyberPreKeys: { rule: 'repeated', type: 'PreKeyRange', id: 7 },
              },
            },
            Credentials: {
              fields: {
                password: { type: 'string', id: 1 },
                deviceName: { type: 'string', id: 2 },
                number: { type: 'string', id: 3 },
                pniIdentity: { type: 'PniIdentity', id: 4 },
                accountEntropyPool: { type: 'string', id: 5 },
                masterKey: { type: 'bytes', id: 6 },
                mediaRootBackupKey: { type: 'bytes', id: 7 },
                authCredentialSalt: { type: 'bytes', id: 8 },
                readReceipts: { type: 'ReadReceipts', id: 9 },
                capable: { rule: 'repeated', type: 'string', id: 10 },
                incapable: { rule: 'repeated', type: 'string', id: 11 },
                createdAtMs: { type: 'double', id: 12 },
              },
              nested: { ReadReceipts: { values: { UNSPECIFIED: 0, OFF: 1, ON: 2 } } },
            },
            PniIdentity: {
              fields: {
                pni: { type: 'string', id: 1 },
                registrationId: { type: 'uint32', id: 2 },
                identityPublicKey: { type: 'bytes', id: 3 },
                identityPrivateKey: { type: 'bytes', id: 4 },
              },
            },
            PendingLink: {
              fields: {
                aci: { type: 'string', id: 1 },
                registrationId: { type: 'uint32', id: 2 },
                identityPublicKey: { type: 'bytes', id: 3 },
                identityPrivateKey: { type: 'bytes', id: 4 },
                profileKey: { type: 'bytes', id: 5 },
                credentials: { type: 'Credentials', id: 6 },
                aciPreKeys: { type: 'LinkPreKeys', id: 7 },
                pniPreKeys: { type: 'LinkPreKeys', id: 8 },
              },
            },
            BlockedSync: { fields: { acis: { rule: 'repeated', type: 'string', id: 1 } } },
            PendingRegistration: {
              fields: {
                number: { type: 'string', id: 1 },
                sessionId: { type: 'string', id: 2 },
                isRequested: { type: 'bool', id: 3 },
                registrationId: { type: 'uint32', id: 4 },
                identityPublicKey: { type: 'bytes', id: 5 },
                identityPrivateKey: { type: 'bytes', id: 6 },
                profileKey: { type: 'bytes', id: 7 },
                credentials: { type: 'Credentials', id: 8 },
                aciPreKeys: { type: 'LinkPreKeys', id: 9 },
                pniPreKeys: { type: 'LinkPreKeys', id: 10 },
                discoverableByPhoneNumber: { type: 'bool', id: 11 },
              },
            },
            OwnSync: {
              fields: {
                requested: { type: 'bool', id: 1 },
                manifestVersion: { type: 'double', id: 2 },
                isKeyDoubted: { type: 'bool', id: 3 },
              },
            },
            LastReceived: { fields: { atMs: { type: 'double', id: 1 } } },
            LinkPreKeys: {
              fields: {
                signedPreKey: { type: 'bytes', id: 1 },
                lastResortKyberPreKey: { type: 'bytes', id: 2 },
              },
            },
            PendingImport: {
              fields: {
                aci: { type: 'string', id: 1 },
                deviceId: { type: 'uint32', id: 2 },
                state: { type: 'State', id: 3 },
                counts: { type: 'string', id: 4 },
              },
              nested: { State: { values: { COPYING: 0, COPIED: 1 } } },
            },
            Upload: {
              fields: {
                key: { type: 'bytes', id: 1 },
                iv: { type: 'bytes', id: 2 },
                plaintextHash: { type: 'bytes', id: 3 },
                clientUuid: { type: 'bytes', id: 4 },
                startedAtMs: { type: 'double', id: 5 },
                finishedAtMs: { type: 'double', id: 6 },
                cdnNumber: { type: 'uint32', id: 7 },
                cdnKey: { type: 'string', id: 8 },
                uploadUrl: { type: 'string', id: 9 },
                headers: { rule: 'repeated', type: 'Header', id: 10 },
                sessionUrl: { type: 'string', id: 11 },
              },
              nested: {
                Header: {
                  fields: { name: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } },
                },
              },
            },
            Device: {
              fields: {
                deviceId: { type: 'uint32', id: 1 },
                registrationId: { type: 'uint32', id: 2 },
                type: { type: 'CiphertextType', id: 3 },
                ciphertext: { type: 'bytes', id: 4 },
              },
              nested: { CiphertextType: { values: { PREKEY: 0, WHISPER: 1 } } },
            },
            Contact: {
              fields: {
                profileKey: { type: 'bytes', id: 1 },
                accessMode: { type: 'AccessMode', id: 2 },
                identityKey: { type: 'bytes', id: 3 },
                devices: { rule: 'repeated', type: 'Device', id: 4 },
                blocked: { type: 'bool', id: 5 },
                expireTimer: { type: 'uint32', id: 6 },
                expireTimerVersion: { type: 'uint32', id: 7 },
                lastSeenMs: { type: 'double', id: 8 },
                profileFetchedMs: { type: 'double', id: 9 },
                lacksProfileKey: { type: 'bool', id: 10 },
                accessDeniedMs: { type: 'double', id: 11 },
                pendingIdentityKey: { type: 'bytes', id: 12 },
                needsPniSignature: { type: 'bool', id: 13 },
                blockedByPrimary: { type: 'bool', id: 14 },
                profileKeySynced: { type: 'bool', id: 15 },
                unanswered: { type: 'bool', id: 16 },
                accessKey: { type: 'bytes', id: 17 },
                leftLists: { rule: 'repeated', type: 'string', id: 18 },
              },
              nested: {
                AccessMode: { values: { UNKNOWN: 0, ENABLED: 1, UNRESTRICTED: 2, DISABLED: 3 } },
              },
            },
            Broadcast: {
              fields: {
                state: { type: 'State', id: 1 },
                body: { type: 'string', id: 2 },
                timestamp: { type: 'double', id: 3 },
                urgent: { type: 'bool', id: 4 },
                createdAtMs: { type: 'double', id: 5 },
                finishedAtMs: { type: 'double', id: 6 },
                invalidRecipients: { type: 'uint32', id: 7 },
                maxPerSecond: { type: 'double', id: 8 },
                recipients: { type: 'double', id: 9 },
                content: { type: 'bytes', id: 10 },
                transcript: { type: 'Transcript', id: 11 },
                list: { type: 'string', id: 20 },
                isCountDue: { type: 'bool', id: 21 },
              },
              nested: {
                Transcript: { values: { NONE: 0, DUE: 1, SENT: 2 } },
                State: { values: { INGESTING: 0, SENDING: 1, FINISHED: 2, PRUNED: 3 } },
              },
            },
            Outbox: {
              fields: {
                state: { type: 'State', id: 1 },
                identityKey: { type: 'bytes', id: 2 },
                devices: { rule: 'repeated', type: 'Device', id: 3 },
                status: { type: 'DeliveryStatus', id: 4 },
                errorCode: { type: 'string', id: 5 },
                profileKeyMark: { type: 'string', id: 6 },
              },
              nested: {
                State: { values: { QUEUED: 0, ENCRYPTED: 1, DONE: 2 } },
                DeliveryStatus: { values: { SEALED: 0, UNSEALED: 1, UNREGISTERED: 2, FAILED: 3 } },
              },
            },
            Inbox: {
              fields: {
                sender: { type: 'string', id: 1 },
                senderDevice: { type: 'uint32', id: 2 },
                sealed: { type: 'bool', id: 3 },
                timestamp: { type: 'double', id: 4 },
                serverTimestamp: { type: 'double', id: 5 },
                envelopeType: { type: 'EnvelopeType', id: 6 },
                content: { type: 'bytes', id: 7 },
                groupId: { type: 'bytes', id: 8 },
              },
              nested: {
                EnvelopeType: {
                  values: { PREKEY: 0, WHISPER: 1, SENDER_KEY: 2, PLAINTEXT: 3, RECEIPT: 4 },
                },
              },
            },
            Retry: {
              fields: {
                sender: { type: 'string', id: 1 },
                senderDevice: { type: 'uint32', id: 2 },
                timestamp: { type: 'double', id: 3 },
                message: { type: 'bytes', id: 4 },
                identityKey: { type: 'bytes', id: 5 },
                groupId: { type: 'bytes', id: 6 },
              },
            },
            List: {
              fields: {
                createdAtMs: { type: 'double', id: 1 },
                members: { type: 'double', id: 2 },
                unregisteredLimit: { type: 'uint32', id: 3 },
              },
            },
            Member: {
              fields: {
                joinedMs: { type: 'double', id: 1 },
                tags: { rule: 'repeated', type: 'string', id: 2 },
                fields: { rule: 'repeated', type: 'Field', id: 3 },
              },
              nested: {
                Field: {
                  fields: { name: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } },
                },
              },
            },
            Suppression: { fields: { sinceMs: { type: 'double', id: 1 } } },
            Absence: {
              fields: {
                broadcasts: { type: 'uint32', id: 1 },
                timestamp: { type: 'double', id: 2 },
              },
            },
          },
        },
      },
    },
  },
};
