/** An identity provider over real HTTP: publishes a key set, counts who asks, and can be ill in the ways providers are. */

export class IdentityProvider {
  readonly #server: ReturnType<typeof Bun.serve>
  /** Requests that arrived. */
  fetches = 0
  /** Answers every request; set to make the provider misbehave. */
  respond: (request: Request) => Response | Promise<Response>

  constructor(keys: readonly object[] = []) {
    this.respond = () => Response.json({ keys })
    this.#server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      idleTimeout: 60,
      development: false,
      fetch: request => {
        this.fetches++
        return this.respond(request)
      },
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}/jwks.json`
  }

  publish(keys: readonly object[]): void {
    this.respond = () => Response.json({ keys })
  }

  fail(status = 503): void {
    this.respond = () => new Response('out of order', { status })
  }

  async stop(): Promise<void> {
    await this.#server.stop(true)
  }
}
