/** Which IP addresses a webhook may reach. Pure; names and URLs are target.ts. */
import { isIP } from 'node:net'

export type AddressClass = 'public' | 'loopback' | 'refused'

/** [first address, prefix length]: everything of IANA's special-purpose registry that is no public host, plus Azure's wire server. */
const refusedV4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]

/** `address` in text form, IPv6 without brackets. Whatever is not plainly public or loopback is refused. */
export function classifyAddress(address: string): AddressClass {
  const family = isIP(address)
  if (family === 4) return classifyV4(address)
  if (family === 6) return classifyV6(address)
  return 'refused'
}

function classifyV4(address: string): AddressClass {
  const value = numberOfV4(address)
  if (value >>> 24 === 127) return 'loopback'
  const inside = refusedV4.some(([first, bits]) => (value ^ numberOfV4(first)) >>> (32 - bits) === 0)
  return inside ? 'refused' : 'public'
}

/**
 * Public is only 2000::/3, without its special blocks: 2001::/23 (Teredo, ORCHID and others), 2001:db8::/32, 2002::/16 (6to4, carries
 * an IPv4 address) and 3fff::/20. That leaves out ::, mapped and translated IPv4, unique local, link-local and multicast.
 */
function classifyV6(address: string): AddressClass {
  const groups = groupsOfV6(address)
  if (groups === null) return 'refused'
  const [first = 0, second = 0] = groups
  if (groups.slice(0, 7).every(group => group === 0) && groups[7] === 1) return 'loopback'
  if (first >>> 13 !== 1) return 'refused'
  if (first === 0x2001 && (second < 0x200 || second === 0xdb8)) return 'refused'
  if (first === 0x2002 || (first === 0x3fff && second < 0x1000)) return 'refused'
  return 'public'
}

function numberOfV4(address: string): number {
  return address.split('.').reduce((value, part) => ((value << 8) | Number(part)) >>> 0, 0)
}

/** The eight groups; the URL parser does the arithmetic of `::` and of a dotted end. A zone (`%eth0`) has no place here. */
function groupsOfV6(address: string): readonly number[] | null {
  const url = URL.canParse(`http://[${address}]/`) ? new URL(`http://[${address}]/`) : null
  if (url === null) return null
  const [left = '', right = null] = url.hostname.slice(1, -1).split('::')
  const before = left === '' ? [] : left.split(':')
  const after = right === null || right === '' ? [] : right.split(':')
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return [...before, ...zeros, ...after].map(group => Number.parseInt(group, 16))
}
