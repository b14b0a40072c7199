/** Stages of a test: a store, a clock, lives of the service over it, and webhook receivers. Everything is ended after each test. */
import { afterEach } from 'bun:test'
import type { SubscriptionOptions } from '../../../src/streams/subscriptions/subscriptions.ts'
import { FakeClock } from './fake-clock.ts'
import { MemoryStore } from './memory-host.ts'
import { Receiver, type Answer } from './receiver.ts'
import { live, type Life } from './server.ts'

export interface Scene {
  readonly store: MemoryStore
  readonly clock: FakeClock
  start(changed?: Partial<SubscriptionOptions>): Promise<Life>
}

export interface Stage {
  scene(): Scene
  receiver(answer: Answer): Receiver
}

/** To be called once in a test file. */
export function stage(): Stage {
  const lives: Life[] = []
  const receivers: Receiver[] = []
  afterEach(async () => {
    for (const life of lives.splice(0)) await life.subscriptions.stop()
    for (const receiver of receivers.splice(0)) await receiver.close()
  })
  return {
    scene() {
      const store = new MemoryStore()
      const clock = new FakeClock()
      const start = async (changed?: Partial<SubscriptionOptions>) => {
        const life = await live(store, clock, changed)
        lives.push(life)
        return life
      }
      return { store, clock, start }
    },
    receiver(answer) {
      const made = new Receiver(answer)
      receivers.push(made)
      return made
    },
  }
}

export const bearer = (token: string): string => `Bearer ${token}`

export interface WakeEvent {
  readonly type: string
  readonly subscription_id: string
  readonly stream: string
  readonly generation: number
  readonly ts: number
}

/** What was written to the wake stream. */
export function wakeEvents(store: MemoryStore): readonly WakeEvent[] {
  return store.messages('wake/pool') as readonly WakeEvent[]
}
