/** `geoip_*`: places of addresses. They exist so that schemas and queries which name them load; without a GeoIP database, which the product does not read, they are NULL. */
import { type SqlFunction, sqlFunction } from './sql-function.ts'

/** Not deterministic: a database that is replaced answers differently. */
export function geoipFunctions(): readonly SqlFunction[] {
  return ['geoip_country', 'geoip_city_name', 'geoip_city_json'].map(name => sqlFunction(name, 1, () => null, { deterministic: false }))
}
