// Searching for files by all that the client offers, and page by page.
import { Paginator, paginate, searchFiles } from '@uploadcare/rest-client'
import { settings, upload } from './rest.mjs'
import { input, report } from './wire.mjs'

const beach = await upload('x', { fileName: 'sunset-beach.txt', contentType: 'text/plain', tags: ['cat'] })
const pier = await upload(Buffer.from(input.picture, 'base64'), { fileName: 'sunset-pier.png', tags: ['cat', 'animal'] })
const note = await upload('a note', { fileName: 'note.txt', metadata: { album: 'summer sunset', Year: '2026' } })

const search = async (options) => {
  const { results, ...page } = await searchFiles(options, settings)
  return { ...page, ids: results.map(({ uuid }) => uuid) }
}
const newest = { sort: [{ field: 'datetimeUploaded', order: 'desc' }] }
const found = {
  query: await search({ query: 'sunset', ...newest }),
  relevance: await search({ query: 'sunset', sort: [{ field: 'score', order: 'desc' }, { field: 'originalFilename' }] }),
  uuid: await search({ query: beach }),
  'part of a word': await search({ query: 'unse', ...newest }),
  phrase: await search({ phrase: { metadata: 'summer', originalFilename: 'note' } }),
  exact: await search({ exact: { originalFilename: ['note.txt', 'sunset-pier.png'] }, sort: [{ field: 'originalFilename' }] }),
  'detected type': await search({ exact: { detectedMimeType: ['image/png'] } }),
  metadata: await search({ exact: { metadata: { Year: ['2025', '2026'] } } }),
  pictures: await search({ isImage: true }),
  size: await search({ size: { gt: 1, lte: 6 } }),
  time: await search({ datetimeUploaded: { gte: new Date(0), lt: new Date(Date.now() + 86_400_000) }, ...newest }),
  'any tag': await search({ tags: { any: ['Cat', 'dog'] }, ...newest }),
  'all tags': await search({ tags: { all: ['cat', 'animal'] } }),
  'no tag': await search({ tags: { none: ['animal'] }, ...newest }),
  fuzzy: await search({ query: 'sunset', fuzziness: true, ...newest }),
  together: await search({ query: 'sunset', isImage: false, tags: { all: ['cat'] } }),
  nothing: await search({ query: 'nothing-matches-this' }),
}
const withAppdata = (await searchFiles({ query: 'note.txt', include: 'appdata' }, settings)).results

const pages = []
for await (const page of paginate(searchFiles)({ size: { gt: 0 }, limit: 2, ...newest }, settings)) {
  pages.push(page)
  if (pages.length === 10) break
}
const paginator = new Paginator(searchFiles, { size: { gt: 0 }, limit: 1, ...newest }, settings)
const steps = []
for (const way of ['next', 'next', 'next', 'prev', 'prev']) steps.push((await paginator[way]()).results[0].uuid)

report({ ids: { beach, pier, note }, found, withAppdata, pages, steps })
