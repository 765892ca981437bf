// Generated from signal.proto by `npm run generate`; do not edit.
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
            serverGuid: { type: 'string', id: 9 },
            serverTimestamp: { type: 'uint64', id: 10 },
            sourceServiceId: { type: 'string', id: 11 },
            ephemeral: { type: 'bool', id: 12 },
            destinationServiceId: { type: 'string', id: 13 },
            urgent: { type: 'bool', id: 14 },
            updatedPni: { type: 'string', id: 15 },
            story: { type: 'bool', id: 16 },
            sourceServiceIdBinary: { type: 'bytes', id: 19 },
            destinationServiceIdBinary: { type: 'bytes', id: 20 },
            serverGuidBinary: { type: 'bytes', id: 21 },
            updatedPniBinary: { type: 'bytes', id: 22 },
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
            syncMessage: { type: 'bytes', id: 2 },
            callMessage: { type: 'bytes', id: 3 },
            nullMessage: { type: 'bytes', id: 4 },
            receiptMessage: { type: 'ReceiptMessage', id: 5 },
            typingMessage: { type: 'TypingMessage', id: 6 },
            senderKeyDistributionMessage: { type: 'bytes', id: 7 },
            decryptionErrorMessage: { type: 'bytes', id: 8 },
            storyMessage: { type: 'StoryMessage', id: 9 },
            pniSignatureMessage: { type: 'bytes', id: 10 },
            editMessage: { type: 'EditMessage', id: 11 },
          },
        },
        PniSignatureMessage: {
          edition: '2023',
          fields: { pni: { type: 'bytes', id: 1 }, signature: { type: 'bytes', id: 2 } },
        },
        SyncMessage: {
          edition: '2023',
          fields: {
            sent: { type: 'Sent', id: 1 },
            contacts: { type: 'bytes', id: 2 },
            request: { type: 'Request', id: 4 },
            blocked: { type: 'Blocked', id: 6 },
            configuration: { type: 'Configuration', id: 9 },
            fetchLatest: { type: 'FetchLatest', id: 12 },
            keys: { type: 'Keys', id: 13 },
            pniChangeNumber: { type: 'PniChangeNumber', id: 18 },
          },
          nested: {
            Sent: {
              fields: {
                timestamp: { type: 'uint64', id: 2 },
                message: { type: 'DataMessage', id: 3 },
                expirationStartTimestamp: { type: 'uint64', id: 4 },
                unidentifiedStatus: { rule: 'repeated', type: 'UnidentifiedDeliveryStatus', id: 5 },
                isRecipientUpdate: { type: 'bool', id: 6 },
                destinationServiceId: { type: 'string', id: 7 },
                editMessage: { type: 'EditMessage', id: 10 },
                destinationServiceIdBinary: { type: 'bytes', id: 12 },
              },
            },
            UnidentifiedDeliveryStatus: {
              fields: {
                unidentified: { type: 'bool', id: 2 },
                destinationServiceId: { type: 'string', id: 3 },
                destinationServiceIdBinary: { type: 'bytes', id: 6 },
              },
            },
            Request: {
              fields: { type: { type: 'Type', id: 1 } },
              nested: {
                Type: {
                  values: { UNKNOWN: 0, CONTACTS: 1, BLOCKED: 3, CONFIGURATION: 4, KEYS: 5 },
                },
              },
            },
            Blocked: {
              fields: {
                acis: { rule: 'repeated', type: 'string', id: 3 },
                acisBinary: { rule: 'repeated', type: 'bytes', id: 4 },
              },
            },
            Configuration: { fields: { readReceipts: { type: 'bool', id: 1 } } },
            FetchLatest: {
              fields: { type: { type: 'Type', id: 1 } },
              nested: {
                Type: {
                  values: {
                    UNKNOWN: 0,
                    LOCAL_PROFILE: 1,
                    STORAGE_MANIFEST: 2,
                    SUBSCRIPTION_STATUS: 3,
                  },
                },
              },
            },
            Keys: {
              fields: {
                master: { type: 'bytes', id: 2 },
                accountEntropyPool: { type: 'string', id: 3 },
                mediaRootBackupKey: { type: 'bytes', id: 4 },
              },
            },
            PniChangeNumber: {
              fields: {
                identityKeyPair: { type: 'bytes', id: 1 },
                signedPreKey: { type: 'bytes', id: 2 },
                registrationId: { type: 'uint32', id: 3 },
                newE164: { type: 'string', id: 4 },
                lastResortKyberPreKey: { type: 'bytes', id: 5 },
              },
            },
          },
        },
        DataMessage: {
          edition: '2023',
          fields: {
            body: { type: 'string', id: 1 },
            attachments: { rule: 'repeated', type: 'AttachmentPointer', id: 2 },
            flags: { type: 'uint32', id: 4 },
            expireTimer: { type: 'uint32', id: 5 },
            profileKey: { type: 'bytes', id: 6 },
            timestamp: { type: 'uint64', id: 7 },
            quote: { type: 'bytes', id: 8 },
            contact: { type: 'bytes', id: 9 },
            preview: { rule: 'repeated', type: 'bytes', id: 10 },
            sticker: { type: 'bytes', id: 11 },
            requiredProtocolVersion: { type: 'uint32', id: 12 },
            isViewOnce: { type: 'bool', id: 14 },
            groupV2: { type: 'GroupContextV2', id: 15 },
            reaction: { type: 'Reaction', id: 16 },
            delete: { type: 'Delete', id: 17 },
            bodyRanges: { rule: 'repeated', type: 'bytes', id: 18 },
            groupCallUpdate: { type: 'bytes', id: 19 },
            payment: { type: 'bytes', id: 20 },
            storyContext: { type: 'bytes', id: 21 },
            giftBadge: { type: 'bytes', id: 22 },
            expireTimerVersion: { type: 'uint32', id: 23 },
            pollCreate: { type: 'bytes', id: 24 },
            pollTerminate: { type: 'bytes', id: 25 },
            pollVote: { type: 'bytes', id: 26 },
            pinMessage: { type: 'bytes', id: 27 },
            unpinMessage: { type: 'bytes', id: 28 },
            adminDelete: { type: 'bytes', id: 29 },
          },
          nested: {
            Reaction: {
              fields: {
                emoji: { type: 'string', id: 1 },
                remove: { type: 'bool', id: 2 },
                targetAuthorAci: { type: 'string', id: 4 },
                targetSentTimestamp: { type: 'uint64', id: 5 },
                targetAuthorAciBinary: { type: 'bytes', id: 6 },
              },
            },
            Delete: { fields: { targetSentTimestamp: { type: 'uint64', id: 1 } } },
          },
        },
        AttachmentPointer: {
          edition: '2023',
          fields: {
            cdnId: { type: 'fixed64', id: 1 },
            contentType: { type: 'string', id: 2 },
            key: { type: 'bytes', id: 3 },
            size: { type: 'uint32', id: 4 },
            digest: { type: 'bytes', id: 6 },
            fileName: { type: 'string', id: 7 },
            flags: { type: 'uint32', id: 8 },
            width: { type: 'uint32', id: 9 },
            height: { type: 'uint32', id: 10 },
            caption: { type: 'string', id: 11 },
            blurHash: { type: 'string', id: 12 },
            uploadTimestamp: { type: 'uint64', id: 13 },
            cdnNumber: { type: 'uint32', id: 14 },
            cdnKey: { type: 'string', id: 15 },
            chunkSize: { type: 'uint32', id: 17 },
            incrementalMac: { type: 'bytes', id: 19 },
            clientUuid: { type: 'bytes', id: 20 },
          },
        },
        BodyRange: {
          edition: '2023',
          fields: {
            start: { type: 'uint32', id: 1 },
            length: { type: 'uint32', id: 2 },
            mentionAci: { type: 'string', id: 3 },
            style: { type: 'Style', id: 4 },
            mentionAciBinary: { type: 'bytes', id: 5 },
          },
          nested: {
            Style: {
              values: { NONE: 0, BOLD: 1, ITALIC: 2, SPOILER: 3, STRIKETHROUGH: 4, MONOSPACE: 5 },
            },
          },
        },
        Quote: {
          edition: '2023',
          fields: {
            id: { type: 'uint64', id: 1 },
            text: { type: 'string', id: 3 },
            attachments: { rule: 'repeated', type: 'QuotedAttachment', id: 4 },
            authorAci: { type: 'string', id: 5 },
            bodyRanges: { rule: 'repeated', type: 'bytes', id: 6 },
            type: { type: 'uint32', id: 7 },
            authorAciBinary: { type: 'bytes', id: 8 },
          },
          nested: {
            QuotedAttachment: {
              fields: {
                contentType: { type: 'string', id: 1 },
                fileName: { type: 'string', id: 2 },
                thumbnail: { type: 'AttachmentPointer', id: 3 },
              },
            },
          },
        },
        Preview: {
          edition: '2023',
          fields: {
            url: { type: 'string', id: 1 },
            title: { type: 'string', id: 2 },
            image: { type: 'AttachmentPointer', id: 3 },
            description: { type: 'string', id: 4 },
            date: { type: 'uint64', id: 5 },
          },
        },
        PollCreate: {
          edition: '2023',
          fields: {
            question: { type: 'string', id: 1 },
            allowMultiple: { type: 'bool', id: 2 },
            options: { rule: 'repeated', type: 'string', id: 3 },
          },
        },
        PollTerminate: {
          edition: '2023',
          fields: { targetSentTimestamp: { type: 'uint64', id: 1 } },
        },
        PollVote: {
          edition: '2023',
          fields: {
            targetAuthorAciBinary: { type: 'bytes', id: 1 },
            targetSentTimestamp: { type: 'uint64', id: 2 },
            optionIndexes: {
              rule: 'repeated',
              type: 'uint32',
              id: 3,
              options: { features: { repeated_field_encoding: 'EXPANDED' } },
            },
            voteCount: { type: 'uint32', id: 4 },
          },
        },
        GroupContextV2: {
          edition: '2023',
          fields: {
            masterKey: { type: 'bytes', id: 1 },
            revision: { type: 'uint32', id: 2 },
            groupChange: { type: 'bytes', id: 3 },
          },
        },
        ReceiptMessage: {
          edition: '2023',
          fields: {
            type: { type: 'Type', id: 1 },
            timestamp: {
              rule: 'repeated',
              type: 'uint64',
              id: 2,
              options: { features: { repeated_field_encoding: 'EXPANDED' } },
            },
          },
          nested: { Type: { values: { DELIVERY: 0, READ: 1, VIEWED: 2 } } },
        },
        TypingMessage: {
          edition: '2023',
          fields: {
            timestamp: { type: 'uint64', id: 1 },
            action: { type: 'Action', id: 2 },
            groupId: { type: 'bytes', id: 3 },
          },
          nested: { Action: { values: { STARTED: 0, STOPPED: 1 } } },
        },
        StoryMessage: {
          edition: '2023',
          fields: {
            profileKey: { type: 'bytes', id: 1 },
            fileAttachment: { type: 'AttachmentPointer', id: 3 },
            textAttachment: { type: 'bytes', id: 4 },
            allowsReplies: { type: 'bool', id: 5 },
          },
        },
        EditMessage: {
          edition: '2023',
          fields: {
            targetSentTimestamp: { type: 'uint64', id: 1 },
            dataMessage: { type: 'DataMessage', id: 2 },
          },
        },
        PreKeySignalMessage: {
          edition: '2023',
          fields: {
            preKeyId: { type: 'uint32', id: 1 },
            baseKey: { type: 'bytes', id: 2 },
            identityKey: { type: 'bytes', id: 3 },
            message: { type: 'bytes', id: 4 },
            registrationId: { type: 'uint32', id: 5 },
            signedPreKeyId: { type: 'uint32', id: 6 },
            kyberPreKeyId: { type: 'uint32', id: 7 },
            kyberCiphertext: { type: 'bytes', id: 8 },
          },
        },
        SenderKeyMessage: {
          edition: '2023',
          fields: {
            distributionUuid: { type: 'bytes', id: 1 },
            chainId: { type: 'uint32', id: 2 },
            iteration: { type: 'uint32', id: 3 },
            ciphertext: { type: 'bytes', id: 4 },
          },
        },
        SenderKeyDistributionMessage: {
          edition: '2023',
          fields: {
            distributionUuid: { type: 'bytes', id: 1 },
            chainId: { type: 'uint32', id: 2 },
            iteration: { type: 'uint32', id: 3 },
            chainKey: { type: 'bytes', id: 4 },
            signingKey: { type: 'bytes', id: 5 },
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
                  values: {
                    PREKEY_MESSAGE: 1,
                    MESSAGE: 2,
                    SENDERKEY_MESSAGE: 7,
                    PLAINTEXT_CONTENT: 8,
                  },
                },
                ContentHint: {
                  options: { features: { enum_type: 'CLOSED' } },
                  values: { RESENDABLE: 1, IMPLICIT: 2 },
                },
              },
            },
          },
        },
        StorageManifest: {
          edition: '2023',
          fields: { version: { type: 'uint64', id: 1 }, value: { type: 'bytes', id: 2 } },
        },
        StorageItem: {
          edition: '2023',
          fields: { key: { type: 'bytes', id: 1 }, value: { type: 'bytes', id: 2 } },
        },
        StorageItems: {
          edition: '2023',
          fields: { items: { rule: 'repeated', type: 'StorageItem', id: 1 } },
        },
        ReadOperation: {
          edition: '2023',
          fields: { readKey: { rule: 'repeated', type: 'bytes', id: 1 } },
        },
        ManifestRecord: {
          edition: '2023',
          fields: {
            version: { type: 'uint64', id: 1 },
            identifiers: { rule: 'repeated', type: 'Identifier', id: 2 },
            recordIkm: { type: 'bytes', id: 4 },
          },
          nested: {
            Identifier: {
              fields: { raw: { type: 'bytes', id: 1 }, type: { type: 'Type', id: 2 } },
              nested: { Type: { values: { UNKNOWN: 0, CONTACT: 1, ACCOUNT: 4 } } },
            },
          },
        },
        StorageRecord: {
          edition: '2023',
          fields: { contact: { type: 'Contact', id: 1 }, account: { type: 'Account', id: 4 } },
          nested: {
            Contact: {
              fields: {
                aci: { type: 'string', id: 1 },
                profileKey: { type: 'bytes', id: 3 },
                blocked: { type: 'bool', id: 9 },
                aciBinary: { type: 'bytes', id: 25 },
              },
            },
            Account: { fields: { profileKey: { type: 'bytes', id: 1 } } },
          },
        },
      },
    },
  },
};
