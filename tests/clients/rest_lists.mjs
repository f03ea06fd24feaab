// Lists of files and groups, page by page, onwards and back.
import {
  Paginator,
  deleteFile,
  deleteGroup,
  fileInfo,
  groupInfo,
  listOfFiles,
  listOfGroups,
  paginate,
} from '@uploadcare/rest-client'
import { group } from '@uploadcare/upload-client'
import { follow, refusal, settings, upload } from './rest.mjs'
import { report, settings as ofUploads } from './wire.mjs'

// 0 to 2 are stored, 3 to 6 temporary, 7 is removed.
const files = []
for (let n = 0; n < 8; n++) files.push(await upload('x'.repeat(n + 1), { store: n < 3, fileName: `${n}.txt` }))
await deleteFile({ uuid: files[7] }, settings)
const third = await fileInfo({ uuid: files[2] }, settings)

const show = ({ results, ...page }) => ({ ...page, ids: results.map(({ uuid, id }) => uuid ?? id) })
const list = async (options) => show(await listOfFiles(options, settings))
const lists = {
  all: await list({}),
  stored: await list({ stored: true }),
  temporary: await list({ stored: false }),
  removed: await list({ removed: true }),
  descending: await list({ ordering: '-datetime_uploaded' }),
  'from long ago': await list({ from: new Date(0) }),
  'from the third': await list({ from: third.datetimeUploaded }),
  'back from the third': await list({ from: third.datetimeUploaded, ordering: '-datetime_uploaded' }),
  'from tomorrow': await list({ from: new Date(Date.now() + 86_400_000) }),
}

/** All pages from the first to the last, or as many as there could ever be. */
async function walk(paginatable, options) {
  const pages = []
  for await (const page of paginate(paginatable)(options, settings)) {
    pages.push(show(page))
    if (pages.length === 10) break
  }
  return pages
}
const walks = {
  onwards: await walk(listOfFiles, { limit: 3 }),
  descending: await walk(listOfFiles, { limit: 2, ordering: '-datetime_uploaded' }),
  temporary: await walk(listOfFiles, { limit: 2, stored: false }),
}
const back = []
for (let link = walks.onwards.at(-1).previous; link && back.length < 10; ) {
  const page = show(await follow(link))
  back.push(page)
  link = page.previous
}

const paginator = new Paginator(listOfFiles, { limit: 3 }, settings)
const steps = []
for (const way of ['next', 'next', 'prev', 'prev', 'next', 'next', 'next']) {
  const page = await paginator[way]()
  steps.push({ ids: page && show(page).ids, next: paginator.hasNextPage(), previous: paginator.hasPrevPage() })
}

const groups = []
for (const members of [[0], [1, `${files[0]}/-/resize/x800/`], [2, 3, 7 - 1]]) {
  const named = members.map((member) => files[member] ?? member)
  groups.push((await group(named, ofUploads)).id)
}
const group1 = await groupInfo({ uuid: groups[1] }, settings)
const groupLists = {
  all: show(await listOfGroups({}, settings)),
  whole: (await listOfGroups({ limit: 1 }, settings)).results[0],
  descending: await walk(listOfGroups, { limit: 2, ordering: '-datetime_created' }),
  onwards: await walk(listOfGroups, { limit: 1 }),
  later: show(await listOfGroups({ from: group1.datetimeCreated }, settings)),
}
await deleteFile({ uuid: files[0] }, settings)
const groupOfRemoved = await groupInfo({ uuid: groups[1] }, settings)
const deleted = await deleteGroup({ uuid: groups[1] }, settings)
const afterDeletion = {
  info: await refusal(groupInfo({ uuid: groups[1] }, settings)),
  again: await refusal(deleteGroup({ uuid: groups[1] }, settings)),
  all: show(await listOfGroups({}, settings)),
  member: (await fileInfo({ uuid: files[1] }, settings)).datetimeRemoved,
}

report({ files, lists, walks, back, steps, groups, group1, groupLists, groupOfRemoved, deleted: deleted ?? null, afterDeletion })
