/** The limit: a bare `Bun.serve` that reads the same requests and stores nothing. Prints its URL. */

const answer = { 'Stream-Next-Offset': '0000000000000000_0000000000000000' }

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  async fetch(request) {
    if (request.method === 'PUT') return new Response(null, { status: 201, headers: answer })
    await request.bytes()
    return new Response(null, { status: 204, headers: answer })
  },
})
console.log(`ready http://127.0.0.1:${server.port}`)
