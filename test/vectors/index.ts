// The published test vectors, each file naming its source. All strings are hexadecimal unless a
// field says otherwise.
import aes256Block from './fips197.json' with { type: 'json' };
import hmacSha256 from './rfc4231.json' with { type: 'json' };
import hkdfSha256 from './rfc5869.json' with { type: 'json' };
import x25519 from './rfc7748.json' with { type: 'json' };
import sha256 from './fips180.json' with { type: 'json' };
import aes256Ctr from './sp800-38a.json' with { type: 'json' };
import x25519Points from './x25519-points.json' with { type: 'json' };

export { aes256Block, aes256Ctr, hkdfSha256, hmacSha256, sha256, x25519, x25519Points };
