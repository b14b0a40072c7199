/** Which peers may speak for their clients (`X-Forwarded-For`, `X-Request-Id`). Decides only. */
import { BlockList, isIPv6 } from 'node:net'
import { OperatorError } from '../lib/errors.ts'

export interface TrustedProxies {
  /** False when nobody is trusted, so that callers can skip looking for headers and addresses. */
  readonly any: boolean
  trusts(address: string): boolean
}

/** `networks` are addresses or CIDR blocks (`10.0.0.0/8`, `fd00::/8`). Refuses others (OperatorError, exit 78). */
export function trustedProxies(networks: readonly string[]): TrustedProxies {
  const list = new BlockList()
  for (const network of networks) add(list, network)
  return {
    any: networks.length > 0,
    // A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d.
    trusts: address => {
      const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
      return list.check(plain, family(plain))
    },
  }
}

function add(list: BlockList, network: string): void {
  const [address = '', prefix] = network.split('/')
  const bits = prefix === undefined ? (isIPv6(address) ? 128 : 32) : Number(prefix)
  try {
    list.addSubnet(address, bits, family(address))
  } catch {
    throw new OperatorError(
      `http.trusted_proxies: expected an address or a network such as 10.0.0.0/8, got "${network}"`,
      'Correct the entry, or remove it.',
      78,
    )
  }
}

function family(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}
