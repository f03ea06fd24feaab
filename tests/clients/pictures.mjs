// Pictures where the official components show them: `uc-img`, the image editor, and what the editor makes.
import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const { base, uuid, browser: executablePath } = JSON.parse(process.argv[2])
const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const types = { css: 'text/css', js: 'text/javascript' }

const pages = createServer(async ({ url }, answer) => {
  const asset = url.match(/^\/uploader\/([\w.-]+\.(css|js))$/)
  if (url === '/') {
    answer.setHeader('Content-Type', 'text/html')
    answer.end((await readFile(here('pictures.html'), 'utf8')).replaceAll('{base}', base).replaceAll('{uuid}', uuid))
  } else if (asset) {
    answer.setHeader('Content-Type', types[asset[2]])
    answer.end(await readFile(here(`node_modules/@uploadcare/file-uploader/web/${asset[1]}`)))
  } else {
    answer.writeHead(204).end()
  }
})
await new Promise((listening) => pages.listen(0, '127.0.0.1', listening))

const browser = await chromium.launch({
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
const page = await browser.newPage({ viewport: { width: 1200, height: 900 } })
page.setDefaultTimeout(60_000)
const requests = []
const answers = []
const foreign = new Set()
page.on('request', (request) => {
  requests.push(`${request.method()} ${request.url()}`)
  const { protocol, hostname } = new URL(request.url())
  if (protocol !== 'blob:' && protocol !== 'data:' && hostname !== '127.0.0.1') foreign.add(hostname)
})
page.on('response', (response) => {
  if (response.url().startsWith(`${base}/${uuid}`)) {
    answers.push({ url: response.url(), status: response.status(), type: response.headers()['content-type'] })
  }
})

// The four corners of a picture, as the browser decodes it.
const look = (url) =>
  page.evaluate(async (url) => {
    const bitmap = await createImageBitmap(await (await fetch(url)).blob())
    const { width, height } = bitmap
    const canvas = new OffscreenCanvas(width, height)
    const context = canvas.getContext('2d')
    context.drawImage(bitmap, 0, 0)
    const inset = (side) => [Math.round(side / 8), Math.round((side * 7) / 8)]
    const corners = inset(height).flatMap((y) =>
      inset(width).map((x) => Array.from(context.getImageData(x, y, 1, 1).data.slice(0, 3))),
    )
    return { width, height, corners }
  }, url)

try {
  await page.goto(`http://127.0.0.1:${pages.address().port}/`)
  // What `uc-img` shows in the end.
  const image = await page.waitForFunction(() => {
    const shown = [...document.querySelectorAll('uc-img img')].find(
      (image) => image.complete && image.naturalWidth > 100 && !image.currentSrc.includes('/blur/'),
    )
    return shown && { url: shown.currentSrc, width: shown.naturalWidth, height: shown.naturalHeight }
  })
  const editor = page.locator('uc-cloud-image-editor')
  await page.waitForFunction(() =>
    [...document.querySelectorAll('uc-cloud-image-editor img')].some((image) => image.complete && image.naturalWidth > 0),
  )
  // A quarter turn and a mirror, a filter with all its previews, and done.
  await editor.getByRole('option', { name: 'Apply rotate operation' }).click()
  await editor.getByRole('option', { name: 'Apply mirror operation' }).click()
  await editor.getByRole('button', { name: 'Filters' }).click()
  await editor.getByRole('option', { name: /adaris/i }).click()
  await editor.getByRole('button', { name: 'Apply', exact: true }).filter({ visible: true }).first().click()
  const applied = await page.waitForFunction(() => window.applied)
  const { cdnUrl, cdnUrlModifiers } = await applied.jsonValue()
  const shown = await image.jsonValue()
  console.log(
    JSON.stringify({
      image: { ...shown, ...(await look(shown.url)) },
      applied: { cdnUrl, cdnUrlModifiers, ...(await look(cdnUrl)) },
      answers,
      wire: { requests, foreign: [...foreign] },
    }),
  )
} finally {
  await browser.close()
  pages.close()
}
