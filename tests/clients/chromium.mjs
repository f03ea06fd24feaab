// A page of ours with the official components on it, in a real browser, and a record of what it asks for.
import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const types = { css: 'text/css', js: 'text/javascript' }

/** How Chromium is started: with everything out of reach but this machine. */
export const launch = (executablePath) => ({
  executablePath,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  ],
})

/** Serves a file of this folder, in which `{name}` stands for `values.name`. */
export async function serve(file, values) {
  const pages = createServer(async ({ url }, answer) => {
    const asset = url.match(/^\/uploader\/([\w.-]+\.(css|js))$/)
    if (url === '/') {
      const text = await readFile(here(file), 'utf8')
      answer.setHeader('Content-Type', 'text/html')
      answer.end(text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all))
    } else if (asset) {
      answer.setHeader('Content-Type', types[asset[2]])
      answer.end(await readFile(here(`node_modules/@uploadcare/file-uploader/web/${asset[1]}`)))
    } else {
      answer.writeHead(204).end()
    }
  })
  await new Promise((listening) => pages.listen(0, '127.0.0.1', listening))
  return { address: `http://127.0.0.1:${pages.address().port}/`, close: () => pages.close() }
}

/** Shows such a file. */
export async function show(file, values, executablePath) {
  const pages = await serve(file, values)
  const browser = await chromium.launch(launch(executablePath))
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  page.setDefaultTimeout(60_000)
  const requests = []
  const foreign = new Set()
  const see = (address) => {
    const { protocol, hostname } = new URL(address)
    if (protocol !== 'blob:' && protocol !== 'data:' && hostname !== '127.0.0.1') foreign.add(hostname)
  }
  page.on('request', (request) => {
    requests.push(`${request.method()} ${request.url()}`)
    see(request.url())
  })
  page.on('websocket', (socket) => see(socket.url()))
  return {
    page,
    requests,
    go: () => page.goto(pages.address),
    wire: () => ({ requests, foreign: [...foreign] }),
    close: async () => {
      await browser.close()
      pages.close()
    },
  }
}
